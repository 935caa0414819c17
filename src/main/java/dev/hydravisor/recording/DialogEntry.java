package dev.hydravisor.recording;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One thing that happened beside the terminal; a line of {@code dialog.jsonl}.
 *
 * @param kind {@code message} for what was said; further kinds are free, such as {@code tool_call} or {@code approval}
 * @param role who caused it: {@code user}, {@code assistant}, {@code tool} or {@code system}
 * @param model {@code provider:id} of the model concerned; null when there is none
 * @param content what was said, whole
 * @param data more about it, by kind
 */
public record DialogEntry(
        String kind, String role, @Nullable String model, String content, Map<String, Object> data) {
    /** A turn of the dialog. */
    public static DialogEntry message(String role, @Nullable String model, String content) {
        return new DialogEntry("message", role, model, content, Map.of());
    }
}
