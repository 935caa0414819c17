package dev.hydravisor.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model as its provider describes it.
 *
 * @param size bytes on disk; 0 where the provider does not say
 * @param family such as {@code llama}; empty where it is not known
 * @param parameters their number as the provider writes it, such as {@code 3.2B}; empty where it is not known
 * @param context tokens the model can attend to at most; null where the provider does not say
 * @param loaded whether it is in memory, so that the first token comes at once
 * @param remote whether what is said to it leaves for a machine other than the one that the user named
 * @param abilities such as {@code tools}, {@code thinking}, {@code vision}; empty where the provider does not say
 * @param where the machine that computes: {@code this machine} or a host's name
 * @param identity what its provider knows this very model by, a digest or an ARN; empty where that is not known
 * @param base for a preset the model behind it; null for a model itself
 */
public record ModelInfo(
        ModelRef model,
        long size,
        String family,
        String parameters,
        @Nullable Integer context,
        boolean loaded,
        boolean remote,
        List<String> abilities,
        String where,
        String identity,
        @Nullable ModelRef base) {
    ModelInfo as(ModelRef preset) {
        return new ModelInfo(
                preset, size, family, parameters, context, loaded, remote, abilities, where, identity, model);
    }
}
