package dev.hydravisor.model;

import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * One time that a model asked for tools, with what came of it: the content of a {@link DialogTurn} of role TOOL, as JSON.
 *
 * @param text what the model said before it asked
 */
public record ToolRound(String text, List<Call> calls) {
    /**
     * A tool that was asked for.
     *
     * @param id by which the provider knows it
     * @param arguments a JSON object
     */
    public record Call(String id, String name, String arguments, String result) {}

    String json() {
        return JsonMapper.shared().writeValueAsString(this);
    }

    /** Reads the content of a turn; one that cannot be read holds no calls. */
    public static ToolRound parse(String content) {
        try {
            return JsonMapper.shared().readValue(content, ToolRound.class);
        } catch (JacksonException e) {
            return new ToolRound("", List.of());
        }
    }
}
