package dev.hydravisor.request;

import dev.hydravisor.instance.InstanceSpec;
import org.jspecify.annotations.Nullable;

/**
 * A launch as asked for.
 *
 * @param key the token's own name for this launch: asked again under it, it is not run again
 * @param model {@code provider:id}, attached in a workspace of the instance; null for none
 * @param prompt the first thing said to the model; null for nothing
 */
public record Ask(
        String key,
        String name,
        InstanceSpec spec,
        @Nullable String model,
        @Nullable String prompt) {}
