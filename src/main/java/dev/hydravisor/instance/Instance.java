package dev.hydravisor.instance;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * An instance as it is now: what was asked for, and what its backend says of it.
 *
 * @param id also the libvirt domain's UUID
 * @param reason why it is in this state, in one line; null when there is nothing to say
 * @param address its IP address; null while it has none
 * @param model the attached models as {@code provider:id}, joined by a comma; null when none is attached
 */
public record Instance(
        UUID id,
        String name,
        Kind kind,
        State state,
        @Nullable String reason,
        InstanceSpec spec,
        @Nullable String address,
        @Nullable String model,
        Instant created) {}
