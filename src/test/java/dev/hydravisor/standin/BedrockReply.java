package dev.hydravisor.standin;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The answer to one ConverseStream, in AWS's event-stream framing: a frame and a chunk of its own for each event; or that to one Converse,
 * the same events put together.
 */
final class BedrockReply extends Reply {
    private static final String EVENT_STREAM = "application/vnd.amazon.eventstream";

    private int block;
    private boolean blockOpen;
    private boolean begun;
    private boolean called;

    /** What a Converse is answered with; null for a stream. */
    private final ObjectNode whole;

    private final StringBuilder arguments = new StringBuilder();

    BedrockReply(
            LoopbackServer.Exchange exchange, long start, String model, Options options, int limit, boolean stream) {
        super(exchange, start, Shape.CHAT, model, true, options, limit, Map.of());
        whole = stream ? null : Wire.JSON.createObjectNode();
    }

    @Override
    void say(String token) throws IOException, InterruptedException {
        pace();
        content.append(token);
        event("contentBlockDelta", delta().set("delta", text(token)));
        blockOpen = true;
    }

    @Override
    void think(String token) throws IOException, InterruptedException {
        pace();
        var delta = Wire.JSON.createObjectNode();
        delta.putObject("reasoningContent").put("text", token);
        event("contentBlockDelta", delta().set("delta", delta));
        blockOpen = true;
    }

    @Override
    void call(List<Call> asked) throws IOException, InterruptedException {
        pace();
        called = true;
        for (Call call : asked) {
            endBlock();
            ObjectNode start = delta();
            start.putObject("start")
                    .putObject("toolUse")
                    .put(
                            "toolUseId",
                            "tooluse_"
                                    + Wire.digest(call + "" + System.nanoTime()).substring(0, 12))
                    .put("name", call.tool());
            event("contentBlockStart", start);
            String arguments = Wire.JSON.writeValueAsString(call.arguments());
            // Arguments come in pieces that are no JSON by themselves.
            int half = arguments.length() / 2;
            for (String piece : List.of(arguments.substring(0, half), arguments.substring(half))) {
                ObjectNode delta = delta();
                delta.putObject("delta").putObject("toolUse").put("input", piece);
                event("contentBlockDelta", delta);
            }
            blockOpen = true;
        }
    }

    @Override
    void done(String reason) throws IOException {
        endBlock();
        event(
                "messageStop",
                Wire.JSON
                        .createObjectNode()
                        .put("stopReason", reason.equals("length") ? "max_tokens" : called ? "tool_use" : "end_turn"));
        ObjectNode metadata = Wire.JSON.createObjectNode();
        metadata.putObject("usage")
                .put("inputTokens", promptTokens)
                .put("outputTokens", tokens)
                .put("totalTokens", promptTokens + tokens);
        metadata.putObject("metrics").put("latencyMs", 1);
        event("metadata", metadata);
        if (whole == null) {
            exchange.endStream();
        } else {
            exchange.send(200, "application/json", Map.of(), bytes(whole));
        }
    }

    @Override
    void refuse(int status, String error, Map<String, String> headers) throws IOException {
        Map<String, String> all = new TreeMap<>(headers);
        all.put(
                "x-amzn-ErrorType",
                switch (status) {
                    case 400 -> "ValidationException";
                    case 403 -> "AccessDeniedException";
                    case 404 -> "ResourceNotFoundException";
                    case 408 -> "ModelTimeoutException";
                    case 424 -> "ModelErrorException";
                    case 429 -> "ThrottlingException";
                    case 503 -> "ServiceUnavailableException";
                    default -> "InternalServerException";
                });
        refuse(exchange, status, error, all);
    }

    static void refuse(LoopbackServer.Exchange exchange, int status, String error, Map<String, String> headers)
            throws IOException {
        exchange.send(
                status,
                "application/json",
                headers,
                bytes(Wire.JSON.createObjectNode().put("message", error)));
    }

    @Override
    void fail(String error) throws IOException {
        exchange.beginStream(EVENT_STREAM);
        exchange.chunk(frame(
                Map.of(
                        ":message-type",
                        "exception",
                        ":exception-type",
                        "modelStreamErrorException",
                        ":content-type",
                        "application/json"),
                bytes(Wire.JSON.createObjectNode().put("message", error))));
        exchange.endStream();
    }

    @Override
    void expire() throws IOException {
        exchange.beginStream(EVENT_STREAM);
        exchange.chunk(frame(
                Map.of(
                        ":message-type",
                        "error",
                        ":error-code",
                        "ExpiredTokenException",
                        ":error-message",
                        "The security token included in the request is expired"),
                new byte[0]));
        exchange.endStream();
    }

    @Override
    void garble(String text) throws IOException {
        byte[] frame = frame(event("contentBlockDelta"), bytes(delta().set("delta", text(text))));
        frame[frame.length - 1] ^= 1;
        exchange.beginStream(EVENT_STREAM);
        exchange.chunk(frame);
    }

    @Override
    void half(String token) throws IOException {
        byte[] frame = frame(event("contentBlockDelta"), bytes(delta().set("delta", text(token))));
        exchange.beginStream(EVENT_STREAM);
        exchange.chunk(Arrays.copyOf(frame, frame.length / 2));
    }

    @Override
    void sayTorn(String token) throws IOException, InterruptedException {
        pace();
        begin();
        byte[] frame = frame(event("contentBlockDelta"), bytes(delta().set("delta", text(token))));
        for (int at = 0; at < frame.length; at += 3) {
            exchange.chunk(Arrays.copyOfRange(frame, at, Math.min(frame.length, at + 3)));
            Thread.sleep(1);
        }
        blockOpen = true;
    }

    @Override
    void endWithoutDone() throws IOException {
        exchange.beginStream(EVENT_STREAM);
        exchange.endStream();
    }

    @Override
    void open() throws IOException {
        exchange.beginStream(EVENT_STREAM);
    }

    @Override
    void answerWhole(String text) throws IOException {
        page("application/json", "{\"output\":{}}");
    }

    private void begin() throws IOException {
        exchange.beginStream(EVENT_STREAM);
        if (!begun) {
            begun = true;
            exchange.chunk(frame(
                    event("messageStart"), bytes(Wire.JSON.createObjectNode().put("role", "assistant"))));
        }
    }

    private void endBlock() throws IOException {
        if (blockOpen) {
            event("contentBlockStop", delta());
            blockOpen = false;
            block++;
        }
    }

    private ObjectNode delta() {
        return Wire.JSON.createObjectNode().put("contentBlockIndex", block);
    }

    private static ObjectNode text(String token) {
        return Wire.JSON.createObjectNode().put("text", token);
    }

    private void event(String type, tools.jackson.databind.JsonNode payload) throws IOException {
        if (whole != null) {
            put(type, payload);
            return;
        }
        begin();
        exchange.chunk(frame(event(type), bytes(payload)));
    }

    private void put(String type, tools.jackson.databind.JsonNode payload) {
        if (payload.has("contentBlockIndex")) {
            ArrayNode content = whole.withObjectProperty("output")
                    .withObjectProperty("message")
                    .put("role", "assistant")
                    .withArrayProperty("content");
            ObjectNode at = content.size() > block ? (ObjectNode) content.get(block) : content.addObject();
            if (type.equals("contentBlockStart")) {
                at.setAll((ObjectNode) payload.path("start"));
            } else if (payload.at("/delta/text").isString()) {
                at.put(
                        "text",
                        at.path("text").asString("") + payload.at("/delta/text").asString());
            } else if (payload.at("/delta/toolUse/input").isString()) {
                arguments.append(payload.at("/delta/toolUse/input").asString());
            } else if (payload.at("/delta/reasoningContent/text").isString()) {
                ObjectNode thought = at.withObjectProperty("reasoningContent").withObjectProperty("reasoningText");
                thought.put(
                        "text",
                        thought.path("text").asString("")
                                + payload.at("/delta/reasoningContent/text").asString());
            } else if (type.equals("contentBlockStop") && at.has("toolUse")) {
                at.withObjectProperty("toolUse").set("input", Wire.JSON.readTree(arguments.toString()));
                arguments.setLength(0);
            }
        } else {
            whole.setAll((ObjectNode) payload);
        }
    }

    private static Map<String, String> event(String type) {
        return Map.of(":message-type", "event", ":event-type", type, ":content-type", "application/json");
    }

    private static byte[] bytes(tools.jackson.databind.JsonNode node) {
        return Wire.JSON.writeValueAsString(node).getBytes(StandardCharsets.UTF_8);
    }

    /** One frame: lengths, CRC of them, headers (of type string), payload, CRC of it all. */
    private static byte[] frame(Map<String, String> headers, byte[] payload) {
        try {
            ByteArrayOutputStream coded = new ByteArrayOutputStream();
            DataOutputStream header = new DataOutputStream(coded);
            for (Map.Entry<String, String> each : headers.entrySet()) {
                byte[] name = each.getKey().toLowerCase(Locale.ROOT).getBytes(StandardCharsets.US_ASCII);
                byte[] value = each.getValue().getBytes(StandardCharsets.UTF_8);
                header.writeByte(name.length);
                header.write(name);
                header.writeByte(7);
                header.writeShort(value.length);
                header.write(value);
            }
            ByteBuffer frame = ByteBuffer.allocate(16 + coded.size() + payload.length);
            frame.putInt(frame.capacity()).putInt(coded.size());
            frame.putInt(crc(frame)).put(coded.toByteArray()).put(payload);
            return frame.putInt(crc(frame)).array();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static int crc(ByteBuffer frame) {
        CRC32 crc = new CRC32();
        crc.update(frame.array(), 0, frame.position());
        return (int) crc.getValue();
    }
}
