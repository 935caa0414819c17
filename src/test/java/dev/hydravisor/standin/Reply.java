package dev.hydravisor.standin;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The answer to one {@code /api/chat} or {@code /api/generate}, said token by token at the pace of its {@link Options}.
 *
 * <p>Streamed, each token is a line and a chunk of its own; with {@code "stream": false} the tokens are gathered into
 * the one object that {@link #done} sends. The methods below "how answers go wrong" break the protocol as their names say.
 */
class Reply {

    static final String NDJSON = "application/x-ndjson";
    static final String JSON = "application/json; charset=utf-8";

    /** The route's own shape of a message. */
    enum Shape {
        CHAT,
        GENERATE
    }

    /** A tool the model asks for, with its arguments. */
    record Call(String tool, ObjectNode arguments) {}

    /** Ends an answer whose limit of tokens is reached. */
    static final class LimitReached extends IOException {
        private static final long serialVersionUID = 1L;
    }

    final LoopbackServer.Exchange exchange;
    private final Shape shape;
    private final boolean stream;
    private final Options options;
    private final int limit;
    private final Map<String, String> remote;
    private final String model;
    private final long start;
    final StringBuilder content = new StringBuilder();
    private final StringBuilder thinking = new StringBuilder();
    private final ArrayNode calls = Wire.JSON.createArrayNode();
    private long loadNanos;
    private long firstNanos;
    int promptTokens;
    int tokens;

    /**
     * @param start when the request came, as {@link System#nanoTime} tells it
     * @param limit the most tokens to say ({@code num_predict}), 0 or less for no limit
     * @param remote {@code remote_model} and {@code remote_host} where another machine answers, else empty
     */
    Reply(
            LoopbackServer.Exchange exchange,
            long start,
            Shape shape,
            String model,
            boolean stream,
            Options options,
            int limit,
            Map<String, String> remote) {
        this.exchange = exchange;
        this.start = start;
        this.shape = shape;
        this.model = model;
        this.stream = stream;
        this.options = options;
        this.limit = limit;
        this.remote = remote;
    }

    boolean streamed() {
        return stream;
    }

    void loadTook(long nanos) {
        loadNanos = nanos;
    }

    void read(int tokensOfPrompt) {
        promptTokens = tokensOfPrompt;
    }

    /** Runs a script and ends the answer where the limit of tokens does. */
    void run(Scripts.Script script, Scripts.Asked asked) throws IOException, InterruptedException {
        try {
            script.play(this, asked);
        } catch (LimitReached e) {
            done("length");
        }
    }

    /** Says one token. */
    void say(String token) throws IOException, InterruptedException {
        pace();
        content.append(token);
        if (stream) {
            line(body(token, "", List.of()));
        }
    }

    /** Says a text word by word, as tokens go. */
    void sayAll(String text) throws IOException, InterruptedException {
        for (String token : Wire.tokens(text)) {
            say(token);
        }
    }

    /** Thinks one token. */
    void think(String token) throws IOException, InterruptedException {
        pace();
        thinking.append(token);
        if (stream) {
            line(body("", token, List.of()));
        }
    }

    /** Asks for tools, all in one message. */
    void call(List<Call> asked) throws IOException, InterruptedException {
        pace();
        if (stream) {
            line(body("", "", asked));
        } else {
            calls.addAll(callNodes(asked));
        }
    }

    /** Ends the answer as the protocol wants it. */
    void done(String reason) throws IOException {
        ObjectNode object = stream ? body("", "", List.of()) : body(content.toString(), thinking.toString(), List.of());
        if (!stream && !calls.isEmpty()) {
            ((ObjectNode) object.path("message")).set("tool_calls", calls);
        }
        object.put("done", true).put("done_reason", reason);
        long total = System.nanoTime() - start;
        long reading = Math.max(1, firstNanos - loadNanos);
        object.put("total_duration", total)
                .put("load_duration", Math.max(1, loadNanos))
                .put("prompt_eval_count", promptTokens)
                .put("prompt_eval_duration", reading);
        if (tokens > 0) {
            object.put("eval_count", tokens).put("eval_duration", Math.max(1, total - loadNanos - reading));
        }
        if (stream) {
            line(object);
            exchange.endStream();
        } else {
            exchange.send(200, JSON, Map.of(), bytes(object));
        }
    }

    final void pace() throws IOException, InterruptedException {
        if (limit > 0 && tokens >= limit) {
            throw new LimitReached();
        }
        exchange.pause(tokens == 0 ? options.get("first", 0) : options.get("gap", 0));
        if (tokens++ == 0) {
            firstNanos = System.nanoTime() - start;
        }
    }

    private ObjectNode body(String text, String thought, List<Call> asked) {
        ObjectNode object = Wire.JSON.createObjectNode().put("model", model);
        remote.forEach(object::put);
        object.put("created_at", Instant.now().toString());
        ObjectNode message = object;
        if (shape == Shape.CHAT) {
            message = object.putObject("message").put("role", "assistant").put("content", text);
        } else {
            object.put("response", text);
        }
        if (!thought.isEmpty()) {
            message.put("thinking", thought);
        }
        if (!asked.isEmpty()) {
            message.set("tool_calls", callNodes(asked));
        }
        return object.put("done", false);
    }

    private ArrayNode callNodes(List<Call> asked) {
        ArrayNode nodes = Wire.JSON.createArrayNode();
        for (Call call : asked) {
            ObjectNode function = nodes.addObject()
                    .put(
                            "id",
                            "call_"
                                    + Wire.digest(model + call + System.nanoTime())
                                            .substring(0, 8))
                    .putObject("function");
            function.put("index", nodes.size() - 1).put("name", call.tool()).set("arguments", call.arguments());
        }
        return nodes;
    }

    private void line(ObjectNode object) throws IOException {
        raw(bytes(object));
    }

    private static byte[] bytes(ObjectNode object) {
        return (Wire.JSON.writeValueAsString(object) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private void raw(byte[] bytes) throws IOException {
        exchange.beginStream(NDJSON);
        exchange.chunk(bytes);
    }

    // How answers go wrong.

    /** Refuses with a status and Ollama's shape of an error. */
    void refuse(int status, String error, Map<String, String> headers) throws IOException {
        exchange.send(status, JSON, headers, bytes(Wire.JSON.createObjectNode().put("error", error)));
    }

    /** Fails with an error line under the status 200 that already went out; unstreamed, with status 500. */
    void fail(String error) throws IOException {
        if (stream) {
            line(Wire.JSON.createObjectNode().put("error", error));
            exchange.endStream();
        } else {
            refuse(500, error, Map.of());
        }
    }

    /** Fails because the client's credentials have expired meanwhile. */
    void expire() throws IOException {
        fail("unauthorized");
    }

    /** Answers with a page of another kind. */
    void page(String type, String page) throws IOException {
        exchange.send(200, type, Map.of(), page.getBytes(StandardCharsets.UTF_8));
    }

    /** Says something that is no JSON where a line of it belongs, then goes on and ends well. */
    void garble(String text) throws IOException {
        if (stream) {
            raw((text + "\n").getBytes(StandardCharsets.UTF_8));
        } else {
            page(JSON, text);
        }
    }

    /** Sends only the first half of a token's line. */
    void half(String token) throws IOException {
        byte[] line = bytes(body(token, "", List.of()));
        raw(Arrays.copyOf(line, line.length / 2));
    }

    /** Ends the stream without a last object. */
    void endWithoutDone() throws IOException {
        if (stream) {
            exchange.beginStream(NDJSON);
            exchange.endStream();
        } else {
            page(JSON, "");
        }
    }

    /** Sends the head of the answer and nothing of it. */
    void open() throws IOException {
        if (stream) {
            exchange.beginStream(NDJSON);
        }
    }

    /** Says nothing more and never ends, until the client gives up. */
    void hold() throws IOException {
        exchange.hold();
    }

    /** Breaks the connection off; an unstreamed answer is broken off in the middle of its body. */
    void breakOff(boolean reset) throws IOException {
        if (!stream) {
            byte[] whole = bytes(body(content.toString(), "", List.of()));
            exchange.sendPart(200, JSON, whole.length, Arrays.copyOf(whole, whole.length / 2));
        }
        exchange.breakOff(reset);
    }

    /** Closes the connection before any answer. */
    void drop() throws IOException {
        exchange.breakOff(false);
    }

    /** Says a token whose line reaches the client in pieces of three bytes, so that characters are torn apart. */
    void sayTorn(String token) throws IOException, InterruptedException {
        if (!stream) {
            say(token);
            return;
        }
        pace();
        content.append(token);
        byte[] line = bytes(body(token, "", List.of()));
        for (int at = 0; at < line.length; at += 3) {
            raw(Arrays.copyOfRange(line, at, Math.min(line.length, at + 3)));
            Thread.sleep(1);
        }
    }

    /** Answers with one whole object, as if the client had not asked for a stream. */
    void answerWhole(String text) throws IOException {
        ObjectNode whole = body(text, "", List.of()).put("done", true).put("done_reason", "stop");
        exchange.send(200, JSON, Map.of(), bytes(whole));
    }
}
