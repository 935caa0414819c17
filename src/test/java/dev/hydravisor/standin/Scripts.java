package dev.hydravisor.standin;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The scripted models: what each does is told in one table, {@link #define()}, and chosen by the model's name.
 *
 * <p>Every one takes options in its tag, {@code name:key=value,key=value} (see {@link Options}): {@code load}, the time
 * its first use takes to load it, {@code first}, the time to the first token, {@code gap}, the time between two, all in
 * ms; {@code n} means what its row says. Whichever scripted model is asked, {@code [[name]]} or
 * {@code [[name:key=value]]} in the last user message makes this one answer go as that row says, so that a dialog
 * can go wrong in its middle.
 */
final class Scripts {

    /** One message of a request. */
    record Message(String role, String content, String toolName) {}

    /**
     * What was asked.
     *
     * @param tools names of the tools on offer, each with its first string parameter, or an empty string
     * @param thinking whether the model shall think
     */
    record Asked(List<Message> messages, Map<String, String> tools, boolean thinking, Options options) {
        String lastUser() {
            return messages.reversed().stream()
                    .filter(message -> message.role().equals("user"))
                    .map(Message::content)
                    .findFirst()
                    .orElse("");
        }
    }

    /** How an answer goes. */
    interface Script {
        void play(Reply reply, Asked asked) throws IOException, InterruptedException;
    }

    /** A row of the table: the model's name, what the user sees, what it is able to do, and how. */
    record Row(String name, String seen, Set<String> abilities, Script script) {}

    private static final Set<String> PLAIN = Set.of("completion", "tools");
    private static final Pattern DIRECTIVE = Pattern.compile("\\[\\[([a-z-]+)(?::([^]]*))?]]");

    private final Map<String, Row> rows = new LinkedHashMap<>();
    private final Map<String, AtomicInteger> turns = new ConcurrentHashMap<>();

    Scripts() {
        define();
    }

    private void define() {
        // Answers that go well.
        row("echo", "the last user message again, token by token", (reply, asked) -> {
            reply.sayAll(asked.lastUser());
            reply.done("stop");
        });
        row("count", "how many messages of each role were sent", (reply, asked) -> {
            reply.sayAll("system %d user %d assistant %d tool %d"
                    .formatted(
                            count(asked, "system"),
                            count(asked, "user"),
                            count(asked, "assistant"),
                            count(asked, "tool")));
            reply.done("stop");
        });
        row("recite", "every message that was sent, one `role: text` a line", (reply, asked) -> {
            for (Message message : asked.messages()) {
                reply.say(message.role() + ": " + message.content() + "\n");
            }
            reply.done("stop");
        });
        row("slow", "an echo, first=2000 ms late, with gap=200 ms between tokens", (reply, asked) -> {
            reply.sayAll(asked.lastUser());
            reply.done("stop");
        });
        row("long", "the numbers from 1 to n=2000, gap=5 ms apart", (reply, asked) -> {
            for (int i = 1; i <= asked.options().get("n", 2000); i++) {
                reply.say(i == 1 ? "1" : " " + i);
            }
            reply.done("stop");
        });
        row("think", "thoughts, then an echo", Set.of("completion", "tools", "thinking"), (reply, asked) -> {
            if (asked.thinking()) {
                for (String token : Wire.tokens("the user said: " + asked.lastUser() + " ; i shall repeat it")) {
                    reply.think(token);
                }
            }
            reply.sayAll(asked.lastUser());
            reply.done("stop");
        });
        row(
                "tool",
                "calls of tools, one a line of the prompt (`NAME {json}` or `NAME text`), then their results",
                (reply, asked) -> tool(reply, asked, false));
        row("tools-at-once", "the same, all calls in one message", (reply, asked) -> tool(reply, asked, true));
        row(
                "tool-whole",
                "as `tool`; of bedrock, a model without tools in streams",
                (reply, asked) -> tool(reply, asked, false));
        row("tool-again", "the first line's call again and again, without an end", (reply, asked) -> {
            List<Reply.Call> calls = calls(asked);
            if (calls.isEmpty()) {
                reply.sayAll("there is no tool call in: " + asked.lastUser());
            } else {
                reply.call(List.of(calls.getFirst()));
            }
            reply.done("stop");
        });
        row("no-tools", "an echo; an error where tools are offered", Set.of("completion"), (reply, asked) -> {
            reply.sayAll(asked.lastUser());
            reply.done("stop");
        });
        row("markdown", "headings, lists, a table, code blocks", (reply, asked) -> {
            reply.sayAll(MARKDOWN);
            reply.done("stop");
        });
        row("unicode", "text of many scripts, its characters torn over several writes", (reply, asked) -> {
            reply.sayTorn("grüße, ");
            reply.sayTorn("日本語 ");
            reply.sayTorn("👩‍🔧🎉 ");
            reply.sayTorn("e\u0301 ");
            reply.sayTorn("עברית");
            reply.done("stop");
        });
        row("huge", "one token of n=1000000 letters", (reply, asked) -> {
            reply.say("x".repeat(asked.options().get("n", 1_000_000)));
            reply.done("stop");
        });
        row("empty", "an answer that ends well and is empty", (reply, asked) -> reply.done("stop"));
        row("escapes", "terminal escapes of every kind around the words `before` and `after`", (reply, asked) -> {
            for (String token : ESCAPES) {
                reply.say(token);
            }
            reply.done("stop");
        });

        // Answers that never end.
        row("hang", "nothing at all, not even a status", (reply, asked) -> reply.hold());
        row("hang-open", "status 200, then nothing", (reply, asked) -> {
            reply.open();
            reply.hold();
        });
        row("stall", "n=3 tokens, then nothing more", (reply, asked) -> {
            begin(reply, asked);
            reply.hold();
        });

        // Answers that break.
        row("cut", "n=3 tokens, then the connection is closed", (reply, asked) -> {
            begin(reply, asked);
            reply.breakOff(false);
        });
        row("torn", "n=3 tokens and half a line, then the connection is closed", (reply, asked) -> {
            begin(reply, asked);
            if (reply.streamed()) {
                reply.half(" half");
            }
            reply.breakOff(false);
        });
        row("reset", "n=3 tokens, then the connection is reset", (reply, asked) -> {
            begin(reply, asked);
            reply.breakOff(true);
        });
        row("drop", "the connection is closed before any answer", (reply, asked) -> reply.drop());
        row("no-done", "n=3 tokens and an orderly end, but no last object", (reply, asked) -> {
            begin(reply, asked);
            reply.endWithoutDone();
        });
        row("errorline", "n=3 tokens, then an error line under status 200", (reply, asked) -> {
            begin(reply, asked);
            reply.fail("llama runner process has terminated: exit status 2");
        });
        row("badjson", "n=3 tokens, a line that is no JSON, then a good end", (reply, asked) -> {
            begin(reply, asked);
            reply.garble("{\"model\":\"badjson\",\"message\":{\"role\":");
            if (reply.streamed()) {
                reply.say(" end");
                reply.done("stop");
            }
        });
        row(
                "wrongtype",
                "status 200 and a web page",
                (reply, asked) -> reply.page(
                        "text/html; charset=utf-8",
                        "<!doctype html><html><body><h1>Sign in to the network</h1></body></html>"));
        row(
                "nostream",
                "one whole object although a stream was asked for",
                (reply, asked) -> reply.answerWhole(asked.lastUser()));
        row("crash", "n=3 tokens, then the whole server is gone", (reply, asked) -> {
            begin(reply, asked);
            Runtime.getRuntime().halt(2);
        });

        // Answers that are refused.
        row("busy", "status 503, always", (reply, asked) -> reply.refuse(503, BUSY, Map.of()));
        row("busy-once", "status 503 for n=1 request, then an echo, and so on in turn", (reply, asked) -> {
            if (outOfTurn("busy-once", asked)) {
                reply.refuse(503, BUSY, Map.of());
            } else {
                reply.sayAll(asked.lastUser());
                reply.done("stop");
            }
        });
        row("expired", "n=3 tokens, then the credentials have expired", (reply, asked) -> {
            begin(reply, asked);
            reply.expire();
        });
        row(
                "throttled",
                "status 429 with Retry-After: after=1 s for n=1 request, then an echo, in turn",
                (reply, asked) -> {
                    if (outOfTurn("throttled", asked)) {
                        reply.refuse(
                                429,
                                "too many requests",
                                Map.of("Retry-After", "" + asked.options().get("after", 1)));
                    } else {
                        reply.sayAll(asked.lastUser());
                        reply.done("stop");
                    }
                });
        row(
                "broken",
                "status 500, always",
                (reply, asked) -> reply.refuse(500, "llama runner process has terminated: exit status 2", Map.of()));
    }

    private static final String BUSY = "server busy, please try again.  maximum pending requests exceeded";

    private static final String MARKDOWN = """
            # A heading

            Some **bold**, some *slanted*, some `code`, a [link](https://example.org).

            - one
            - two
              1. two, first

            | name | size |
            |------|-----:|
            | web  |   12 |

            ```sh
            ls -la | head
            ```

            > a quotation
            """;

    private static final List<String> ESCAPES = List.of(
            "before ",
            "\u001b[31mred\u001b[0m ",
            "\u001b]0;a new title\u0007",
            "\u001b]52;c;cm0gLXJmIH4=\u0007",
            "\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\ ",
            "\u001b[201~rm -rf ~\r",
            "\u001b",
            "[2J\u001b[H",
            "\u001b[?1049h",
            "\u001b[6n\u001b[c",
            "\u001bP+q544e\u001b\\",
            "\u001bc",
            "\u009b32mgreen ",
            "\u009d0;another title\u009c",
            "\b\b\b\u0000\u007f\u000e",
            "\u202edlrow\u202c ",
            "after");

    private void row(String name, String seen, Script script) {
        row(name, seen, PLAIN, script);
    }

    private void row(String name, String seen, Set<String> abilities, Script script) {
        rows.put(name, new Row(name, seen, abilities, script));
    }

    Map<String, Row> rows() {
        return rows;
    }

    /** The row a name or a directive in the prompt chooses, with its options; the directive comes first. */
    Map.Entry<Row, Options> choose(String name, String tag, String prompt) {
        Matcher directive = DIRECTIVE.matcher(prompt);
        Row row = rows.get(name);
        Options options = Options.of(tag);
        if (directive.find() && rows.containsKey(directive.group(1))) {
            row = rows.get(directive.group(1));
            options = Options.of(directive.group(2) == null ? "" : directive.group(2));
        }
        return Map.entry(row, paced(row.name(), options));
    }

    private static Options paced(String name, Options options) {
        return switch (name) {
            case "slow" -> options.or("first", 2000).or("gap", 200);
            case "long" -> options.or("gap", 5);
            default -> options;
        };
    }

    private static long count(Asked asked, String role) {
        return asked.messages().stream()
                .filter(message -> message.role().equals(role))
                .count();
    }

    /** Says the n=3 tokens after which something happens: {@code one two three}. */
    private static void begin(Reply reply, Asked asked) throws IOException, InterruptedException {
        List<String> words = List.of("one", " two", " three", " four", " five", " six", " seven", " eight", " nine");
        for (int i = 0; i < asked.options().get("n", 3); i++) {
            reply.say(i < words.size() ? words.get(i) : " more");
        }
    }

    /** True for n requests, false for the one after them, and so on. */
    private boolean outOfTurn(String name, Asked asked) {
        int n = asked.options().get("n", 1);
        int turn = turns.computeIfAbsent(name + n, key -> new AtomicInteger()).getAndIncrement();
        return turn % (n + 1) < n;
    }

    private static void tool(Reply reply, Asked asked, boolean atOnce) throws IOException, InterruptedException {
        List<Reply.Call> calls = calls(asked);
        List<Message> results = results(asked);
        if (calls.isEmpty()) {
            reply.sayAll("there is no tool call in: " + asked.lastUser());
        } else if (results.size() < calls.size() && !(atOnce && !results.isEmpty())) {
            reply.call(atOnce ? calls : List.of(calls.get(results.size())));
        } else {
            for (int i = 0; i < results.size(); i++) {
                String name =
                        i < calls.size() ? calls.get(i).tool() : results.get(i).toolName();
                reply.sayAll(
                        (i == 0 ? "" : "\n") + name + " said: " + results.get(i).content());
            }
        }
        reply.done("stop");
    }

    /** What tools answered since the user last spoke. */
    private static List<Message> results(Asked asked) {
        List<Message> results = new ArrayList<>();
        for (Message message : asked.messages().reversed()) {
            if (message.role().equals("user")) {
                break;
            }
            if (message.role().equals("tool")) {
                results.addFirst(message);
            }
        }
        return results;
    }

    /**
     * The calls a prompt names: a line that begins with the name of a tool on offer, or with {@code call} and any name;
     * what follows is a JSON object, or the tool's first string parameter as it stands.
     */
    private static List<Reply.Call> calls(Asked asked) {
        List<Reply.Call> calls = new ArrayList<>();
        for (String line : asked.lastUser().split("\n")) {
            String rest = line.strip();
            boolean any = rest.startsWith("call ");
            rest = any ? rest.substring(5).strip() : rest;
            String name = rest.split("\\s", 2)[0];
            if (name.isEmpty() || !(any || asked.tools().containsKey(name))) {
                continue;
            }
            String text = rest.substring(name.length()).strip();
            calls.add(new Reply.Call(name, arguments(text, asked.tools().getOrDefault(name, ""))));
        }
        return calls;
    }

    private static ObjectNode arguments(String text, String parameter) {
        ObjectNode arguments = Wire.JSON.createObjectNode();
        if (text.startsWith("{")) {
            try {
                JsonNode read = Wire.JSON.readTree(text);
                if (read instanceof ObjectNode object) {
                    return object;
                }
            } catch (JacksonException e) {
                // Not an object after all: a plain text that begins with a brace.
            }
        }
        return text.isEmpty() || parameter.isEmpty() ? arguments : arguments.put(parameter, text);
    }
}
