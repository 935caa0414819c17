package dev.hydravisor.workspace;

import dev.hydravisor.instance.InstanceSpec;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The main job: an instance with its workspace, its model and its recording.
 *
 * @param model {@code provider:id}; null for none
 * @param environment where the model is reached, as {@code model.Endpoint} picks it from the caller's environment
 * @param user who asks, for the recording
 */
public record Launch(
        String name,
        InstanceSpec spec,
        @Nullable String model,
        Map<String, String> environment,
        Size size,
        String user,
        boolean record) {}
