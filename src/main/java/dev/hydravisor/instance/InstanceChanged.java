package dev.hydravisor.instance;

import java.util.UUID;

/** An application event: an instance came, went, or changed its state or address. */
public record InstanceChanged(UUID id, String name, Change change) {
    /** What happened; {@code STATE} also stands for a new address. */
    public enum Change {
        CREATED,
        STATE,
        DELETED
    }
}
