package dev.hydravisor.model;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What {@code config.yaml} says of models.
 *
 * @param offline whether models that run on another machine behind a local server's back are refused
 */
@ConfigurationProperties("model")
record ModelSettings(
        @DefaultValue("false") boolean offline,
        @DefaultValue List<Preset> presets,
        @DefaultValue List<Price> prices) {

    /** A model with how it is asked, under a name; see {@link Parameters}. */
    record Preset(
            String name,
            String model,
            @Nullable String system,
            @Nullable Double temperature,
            @Nullable Double topP,
            @Nullable Integer maxTokens,
            @Nullable Integer context,
            @Nullable Boolean think) {
        Parameters parameters() {
            return new Parameters(temperature, topP, maxTokens, context, think);
        }
    }

    /**
     * What a model costs.
     *
     * @param model {@code provider:id}; a {@code *} at its end stands for anything
     * @param input US dollars for a million tokens sent
     * @param output the same for what it says
     */
    record Price(String model, double input, double output) {
        boolean isOf(ModelRef ref) {
            return model.endsWith("*")
                    ? ref.toString().startsWith(model.substring(0, model.length() - 1))
                    : ref.toString().equals(model);
        }
    }
}
