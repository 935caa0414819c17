package dev.hydravisor.agent;

import com.github.difflib.DiffUtils;
import com.github.difflib.UnifiedDiffUtils;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import dev.hydravisor.host.ForeignText;
import dev.hydravisor.host.Processes;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.model.Tool;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.workspace.Shells;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The tools themselves. Commands go through the shell that the user sees; files go beside it. */
final class Tools {
    static final String RUN_COMMAND = "run_command";
    private static final String WRITE_FILE = "write_file";

    private static final int MOST = 16_000; // characters of a result: some four thousand tokens
    private static final Duration FILES = Duration.ofSeconds(30);
    private static final Duration DEFAULT_WAIT = Duration.ofSeconds(60);

    /** All there are; the first property of each schema is the one that the policy judges. */
    static final List<Tool> ALL = List.of(
            tool(
                    RUN_COMMAND,
                    "Run one line in the shell that you share with the user, and wait for its end. Returns what it"
                            + " printed, its exit status and the time it took. The working directory and variables are kept from one"
                            + " command to the next.",
                    """
                    "command": {"type": "string", "description": "one line for a POSIX shell"},
                    "seconds": {"type": "integer", "description": "how long to wait for its end, 60 unless given; it runs on after that"}
                    """,
                    "command"),
            tool("read_screen", "Read what the shared shell shows now.", """
                    "lines": {"type": "integer", "description": "lines that scrolled off to show too, 0 unless given"}
                    """, ""),
            tool("read_file", "Read a text file.", """
                    "path": {"type": "string", "description": "an absolute path"}
                    """, "path"),
            tool(WRITE_FILE, "Write a text file, in place of what it held.", """
                    "path": {"type": "string", "description": "an absolute path"},
                    "content": {"type": "string", "description": "all that the file shall hold"}
                    """, "path, content"),
            tool("list_files", "List a folder, as `ls -la` does.", """
                    "path": {"type": "string", "description": "an absolute path"}
                    """, "path"),
            tool("wait_for", "Wait until the last command ends, or until a text shows in the shared shell.", """
                    "text": {"type": "string", "description": "a regular expression; without it the last command's end is waited for"},
                    "seconds": {"type": "integer", "description": "how long to wait at most, 60 unless given"}
                    """, ""));

    private final Instance instance;
    private final InstanceService instances;
    private final Shells shells;

    Tools(Instance instance, InstanceService instances, Shells shells) {
        this.instance = instance;
        this.instances = instances;
        this.shells = shells;
    }

    String briefing() {
        return "You work with a user in the " + instance.kind().name().toLowerCase(Locale.ROOT) + " `" + instance.name()
                + "` (image " + instance.spec().image() + "). Its shell is shared with the user, who sees all you do"
                + " there. Use the tools when something is to be looked up or done there; otherwise just answer. When a"
                + " call is denied, do not work around it: say so.";
    }

    /**
     * Checks what a model asks for.
     *
     * @throws HydraException USAGE with what is wrong, for the model
     */
    Call call(String name, String arguments) {
        var tool = ALL.stream()
                .filter(t -> t.name().equals(name))
                .findFirst()
                .orElseThrow(() -> HydraException.usage("there is no tool `" + name + "`"));
        JsonNode given;
        try {
            given = JsonMapper.shared().readTree(arguments.isBlank() ? "{}" : arguments);
        } catch (JacksonException e) {
            throw HydraException.usage("the arguments are no JSON");
        }
        if (!given.isObject()) {
            throw HydraException.usage("the arguments are no JSON object");
        }
        var schema = JsonMapper.shared().readTree(tool.schema());
        var read = new TreeMap<String, String>();
        for (var property : given.properties()) {
            var type = schema.path("properties")
                    .path(property.getKey())
                    .path("type")
                    .asString("");
            var value = property.getValue();
            if (type.isEmpty()) {
                throw HydraException.usage("`" + name + "` has no argument `" + property.getKey() + "`");
            }
            if (value.isNull()) {
                continue;
            }
            if (!value.isValueNode()
                    || (type.equals("integer") && !value.asString("").matches("[0-9]{1,6}"))) {
                throw HydraException.usage("`" + property.getKey() + "` must be of type " + type);
            }
            read.put(property.getKey(), value.asString());
        }
        schema.path("required").forEach(r -> {
            if (!read.containsKey(r.asString())) {
                throw HydraException.usage("`" + name + "` needs `" + r.asString() + "`");
            }
        });
        if (read.containsKey("path")) {
            requirePath(read.get("path"));
        }
        var subject = schema.path("properties").propertyNames().iterator().next();
        return new Call(name, subject, Map.copyOf(read));
    }

    /** What a user wants to see before the call is done. */
    String detail(Call call) {
        if (!call.tool().equals(WRITE_FILE)) {
            return "";
        }
        var path = call.get("path");
        var before = exec(List.of("head", "-c", "1000000", "--", path), new byte[0]);
        var old = before.ok() ? before.out() : "";
        var oldLines = old.isEmpty() ? List.<String>of() : old.lines().toList();
        var newLines = call.get("content").lines().toList();
        var diff = UnifiedDiffUtils.generateUnifiedDiff(
                before.ok() ? path : "/dev/null", path, oldLines, DiffUtils.diff(oldLines, newLines), 3);
        return ForeignText.plain(diff.isEmpty() ? "(nothing changes)" : String.join("\n", diff));
    }

    /** Does it; the result is for the model. What fails is thrown. */
    String perform(Call call, String model, Duration left, Consumer<String> notice) throws InterruptedException {
        return switch (call.tool()) {
            case RUN_COMMAND -> told(shells.run(instance.name(), model, call.get("command"), wait(call, left), notice));
            case "read_screen" -> shortened(shells.screen(instance.name(), number(call, "lines", 0)));
            case "read_file" -> read(call.get("path"));
            case WRITE_FILE -> write(call.get("path"), call.get("content"));
            case "list_files" -> done(exec(List.of("ls", "-la", "--", call.get("path")), new byte[0]));
            case "wait_for" -> waitFor(call, left);
            default -> throw new IllegalStateException(call.tool());
        };
    }

    private String waitFor(Call call, Duration left) throws InterruptedException {
        var limit = wait(call, left);
        if (call.get("text").isEmpty()) {
            return told(shells.await(instance.name(), limit));
        }
        Pattern pattern;
        try {
            pattern = Pattern.compile(call.get("text"));
        } catch (PatternSyntaxException e) {
            throw HydraException.usage("`text` is no regular expression: " + e.getMessage());
        }
        var seen =
                shells.await(instance.name(), screen -> pattern.matcher(screen).find(), limit);
        return (seen ? "it shows:\n" : "not within " + limit.toSeconds() + " s; the screen shows:\n")
                + shortened(shells.screen(instance.name(), 0));
    }

    private static String told(Shells.Ran ran) {
        var took = String.format(Locale.ROOT, "%.1f s", ran.took().toMillis() / 1000.0);
        return (ran.status() == null
                        ? "still running after " + took + "; it printed so far:\n"
                        : "exit status " + ran.status() + " after " + took
                                + (ran.output().isEmpty() ? "" : ":\n"))
                + shortened(ran.output());
    }

    private String read(String path) {
        var result = exec(List.of("head", "-c", Integer.toString(4 * MOST), "--", path), new byte[0]);
        if (result.ok() && result.out().indexOf('\0') >= 0) {
            throw HydraException.usage("`" + path + "` is no text");
        }
        return done(result);
    }

    private String write(String path, String content) {
        var result = exec(List.of("sh", "-c", "cat > \"$1\"", "sh", path), content.getBytes(StandardCharsets.UTF_8));
        return result.ok() ? "written: " + path : done(result);
    }

    private static String done(Processes.Result result) {
        if (!result.ok()) {
            throw HydraException.failed(ForeignText.plain(result.reason()));
        }
        return shortened(ForeignText.plain(result.out()));
    }

    private Processes.Result exec(List<String> argv, byte[] input) {
        return instances.exec(instance.name(), argv, input, FILES);
    }

    private static void requirePath(String path) {
        if (!path.startsWith("/") || path.chars().anyMatch(Character::isISOControl)) {
            throw HydraException.usage("`path` must be absolute, without control characters");
        }
    }

    private static Duration wait(Call call, Duration left) {
        var wanted = Duration.ofSeconds(number(call, "seconds", (int) DEFAULT_WAIT.toSeconds()));
        return wanted.compareTo(left) > 0 ? left : wanted;
    }

    private static int number(Call call, String argument, int otherwise) {
        return call.get(argument).isEmpty() ? otherwise : Integer.parseInt(call.get(argument));
    }

    /** Of a long text the beginning and, more of it, the end. */
    private static String shortened(String text) {
        if (text.length() <= MOST) {
            return text;
        }
        return text.substring(0, MOST / 4) + "\n[… " + (text.length() - MOST) + " characters left out …]\n"
                + text.substring(text.length() - MOST / 4 * 3);
    }

    private static Tool tool(String name, String description, String properties, String required) {
        var names = required.isEmpty() ? "" : "\"" + required.replace(", ", "\", \"") + "\"";
        return new Tool(
                name,
                description,
                "{\"type\": \"object\", \"properties\": {" + properties.strip() + "}, \"required\": [" + names + "]}");
    }
}
