package dev.hydravisor.model;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The variables of a client's environment that say where a provider is reached and as whom. */
public record Endpoint(Map<String, String> environment) {
    /** The variables that matter. */
    public static final List<String> VARIABLES = List.of("OLLAMA_HOST", "AWS_PROFILE", "AWS_REGION");

    /** Where the configuration alone says where a provider is. */
    public static final Endpoint DEFAULT = new Endpoint(Map.of());

    public Endpoint {
        environment = Map.copyOf(environment);
    }

    /** Picks them from a client's environment; {@code lookup} gives null or an empty text for one that is not set. */
    public static Endpoint of(Function<String, @Nullable String> lookup) {
        var picked = new HashMap<String, String>();
        for (var name : VARIABLES) {
            var value = lookup.apply(name);
            if (value != null && !value.isBlank()) {
                picked.put(name, value);
            }
        }
        return new Endpoint(picked);
    }

    /** The value of a variable, or {@code otherwise} where it is not set. */
    public String get(String variable, String otherwise) {
        return environment.getOrDefault(variable, otherwise);
    }
}
