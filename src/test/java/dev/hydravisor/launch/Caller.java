package dev.hydravisor.launch;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.RawWebSocket;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A client of the launch endpoint whose every message, sent or heard, is held against its schema. */
final class Caller implements Closeable {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Map<String, Schema> SCHEMAS = new ConcurrentHashMap<>();

    final RawWebSocket socket;
    private int ids;

    private Caller(RawWebSocket socket) {
        this.socket = socket;
    }

    static Caller open(URI url, String token) {
        return new Caller(RawWebSocket.open(url, token));
    }

    /** Where the endpoint of a home is; it is opened where it was closed. */
    static URI url(Hydra hydra) {
        return URI.create(JSON.readTree(hydra.ok("launch", "enable", "-o", "json"))
                .get("url")
                .stringValue());
    }

    /** Makes a token and returns its secret. */
    static String token(Hydra hydra, String... arguments) {
        var argv = new java.util.ArrayList<>(List.of("token", "create"));
        argv.addAll(List.of(arguments));
        return hydra.ok(argv.toArray(String[]::new)).strip();
    }

    static JsonNode status(Hydra hydra) {
        return JSON.readTree(hydra.ok("launch", "status", "-o", "json"));
    }

    /** What a schema finds wrong with a message. */
    static List<String> violations(JsonNode message) {
        var type = message.path("type").asString("");
        var schema = SCHEMAS.computeIfAbsent(type, t -> {
            try {
                return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                        .getSchema(Files.readString(Path.of("docs/schema/launch/" + t + ".json")));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return schema.validate(message).stream().map(Error::toString).toList();
    }

    /** Sends a message, whose fields are given as JSON without the braces, under a new id, which is returned. */
    String send(String fields) {
        var id = "m" + ++ids;
        var message = "{\"id\":\"" + id + "\"," + fields + "}";
        assertThat(violations(JSON.readTree(message))).as(message).isEmpty();
        sendRaw(message);
        return id;
    }

    void sendRaw(String text) {
        try {
            socket.send(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The next message. */
    JsonNode next() {
        try {
            var text = socket.next();
            if (text == null) {
                throw new AssertionError("closed with " + socket.closeCode());
            }
            var message = JSON.readTree(text);
            assertThat(violations(message)).as(text).isEmpty();
            return message;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The next message that fits; others before it are passed over. */
    JsonNode next(Predicate<JsonNode> fits) {
        while (true) {
            var message = next();
            if (fits.test(message)) {
                return message;
            }
        }
    }

    JsonNode next(String type) {
        return next(m -> m.get("type").stringValue().equals(type));
    }

    /** Sends a message and returns its answer. */
    JsonNode ask(String fields) {
        var id = send(fields);
        return next(m -> m.path("re").asString("").equals(id));
    }

    /** Sends a message that is to be answered with {@code done}. */
    void done(String fields) {
        var answer = ask(fields);
        assertThat(answer.get("type").stringValue()).as(answer.toString()).isEqualTo("done");
    }

    /** Sends what need be no message, and returns the error it is answered with, as {@code code reason field}. */
    String error(String text) {
        sendRaw(text);
        var error = next("error");
        assertThat(error.get("message").stringValue())
                .doesNotContain("Exception", "\tat ", "dev.hydravisor", "tools.jackson");
        return error.get("code").asString() + " " + error.get("reason").stringValue()
                + (error.has("field") ? " " + error.get("field").stringValue() : "");
    }

    int closeCode() {
        try {
            return socket.closeCode();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
