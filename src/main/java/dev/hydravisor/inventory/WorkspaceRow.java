package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A workspace that was opened and not closed. */
@Entity
@Table(name = "workspace")
public class WorkspaceRow {
    @Id
    private UUID instanceId;

    private boolean recorded;
    private @Nullable String recording;
    private Instant opened;
    private @Nullable String called;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected WorkspaceRow() {}

    /**
     * {@code recorded} says whether it is to be, {@code recording} is the recording of its session, {@code called} the user's own name
     * for it.
     */
    public WorkspaceRow(
            UUID instanceId, boolean recorded, @Nullable String recording, Instant opened, @Nullable String called) {
        this.instanceId = instanceId;
        this.recorded = recorded;
        this.recording = recording;
        this.opened = opened;
        this.called = called;
    }

    public UUID instanceId() {
        return instanceId;
    }

    public boolean recorded() {
        return recorded;
    }

    public @Nullable String recording() {
        return recording;
    }

    public @Nullable String called() {
        return called;
    }

    public Instant opened() {
        return opened;
    }
}
