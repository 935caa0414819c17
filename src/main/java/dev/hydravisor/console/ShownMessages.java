package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.launch.LaunchClient;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.util.Locale;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Shows what another host says: for a program each message as a line of JSON; for a person stages on stderr, the result on stdout. */
final class ShownMessages {
    /** Foreign text: only what is plain ASCII goes out as it is. */
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private final Invocation in;
    private final String format;

    ShownMessages(Invocation in) {
        this.in = in;
        this.format = in.requiredOption("output");
        if (!format.matches("table|json|name")) {
            throw HydraException.usage("`-o " + PlainText.shorten(format)
                    + "` does not fit a stream of messages; use table, json or name");
        }
    }

    static String safeJson(JsonNode node) {
        return JSON.writeValueAsString(node);
    }

    void show(JsonNode message) {
        if (format.equals("json")) {
            in.out().println(safeJson(message));
            in.out().flush();
            return;
        }
        var type = text(message, "type");
        switch (type) {
            case "accepted" ->
                in.err()
                        .println("accepted as " + text(message, "key")
                                + (text(message, "state").equals("running")
                                        ? ""
                                        : ", which is " + text(message, "state")));
            case "stage" -> {
                if (!text(message, "state").equals("started")) {
                    in.err()
                            .println(text(message, "stage")
                                    + (text(message, "state").equals("failed") ? " failed after " : " ")
                                    + String.format(
                                            Locale.ROOT,
                                            "%.1f s",
                                            message.path("elapsed_ms").asLong(0) / 1000.0));
                }
            }
            case "notice" -> in.err().println("note: " + text(message, "message"));
            case "changed" ->
                in.out()
                        .println(text(message, "event") + " " + text(message, "name") + " "
                                + (message.has("instance")
                                        ? text(message.get("instance"), "state")
                                        : text(message, "change")));
            case "ready", "instance" -> instance(message.path("instance"));
            case "instances" -> message.path("instances").forEach(this::instance);
            case "done" -> in.err().println("done");
            case "pong" -> in.out().println("pong");
            default -> {}
        }
        if (message.has("answer")) {
            in.out()
                    .println(new dev.hydravisor.host.ForeignText()
                            .next(message.get("answer").asString("")));
        }
        if (message.has("answer_error")) {
            in.err().println("note: the model did not answer: " + text(message.get("answer_error"), "message"));
        }
        in.out().flush();
        in.err().flush();
    }

    private void instance(JsonNode instance) {
        in.out()
                .println(text(instance, "name")
                        + (format.equals("name")
                                ? ""
                                : " " + text(instance, "state")
                                        + (instance.has("address") ? " " + text(instance, "address") : "")));
    }

    /** Tells how it ended. */
    ExitCode end(JsonNode last) {
        var code = LaunchClient.exitCode(last);
        if (code != ExitCode.DONE) {
            var error = last.has("error") ? last.get("error") : last;
            in.err()
                    .println("error: " + text(error, "message") + " (" + text(error, "code") + " "
                            + text(error, "reason") + ")");
        }
        return code;
    }

    private static String text(JsonNode message, String field) {
        return PlainText.safe(message.path(field).asString(""));
    }
}
