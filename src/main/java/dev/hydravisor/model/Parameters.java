package dev.hydravisor.model;

import org.jspecify.annotations.Nullable;

/**
 * How a model is asked; what is null is the provider's to choose.
 *
 * @param temperature the higher, the less expected the answer
 * @param topP of the likeliest tokens, those that make up this share
 * @param maxTokens the longest answer
 * @param context tokens that the model shall attend to, question and answer together; Ollama alone can be told
 * @param think whether a model that can think shall do so; Ollama alone can be told
 */
public record Parameters(
        @Nullable Double temperature,
        @Nullable Double topP,
        @Nullable Integer maxTokens,
        @Nullable Integer context,
        @Nullable Boolean think) {
    public static final Parameters NONE = new Parameters(null, null, null, null, null);
}
