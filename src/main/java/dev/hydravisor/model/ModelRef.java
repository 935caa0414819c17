package dev.hydravisor.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A model's name: its provider and the id by which the provider knows it, written {@code ollama:llama3.2}; or {@code preset:NAME}, for
 * what {@code config.yaml} calls so.
 */
public record ModelRef(String provider, String id) {
    /** In place of a provider's name: the id is a preset's name. */
    public static final String PRESET = "preset";

    private static final List<String> PROVIDERS = List.of("ollama", "bedrock", PRESET);
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._/:@=,+-]{0,239}");

    /**
     * Reads {@code provider:id}. A text that does not begin with a provider's name is an id of Ollama's: {@code llama3.2:1b}.
     *
     * @throws HydraException USAGE when it is no model's name
     */
    @JsonCreator
    public static ModelRef parse(String text) {
        var colon = text.indexOf(':');
        var named = colon > 0 && PROVIDERS.contains(text.substring(0, colon));
        var id = named ? text.substring(colon + 1) : text;
        if (!ID.matcher(id).matches()) {
            throw HydraException.usage("`" + PlainText.shorten(text)
                    + "` is no model; write provider:id, such as ollama:llama3.2; `hydra model list` shows them");
        }
        return new ModelRef(named ? text.substring(0, colon) : PROVIDERS.getFirst(), id);
    }

    @Override
    @JsonValue
    public String toString() {
        return provider + ":" + id;
    }
}
