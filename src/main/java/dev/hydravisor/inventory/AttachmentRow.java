package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;

/** A model attached to an instance. */
@Entity
@Table(name = "attachment")
public class AttachmentRow {
    @Id
    private UUID id;

    private UUID instanceId;
    private String model;
    private String endpoint;
    private Instant attached;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected AttachmentRow() {}

    /** {@code model} is {@code provider:id}, {@code endpoint} the environment it was attached with, as JSON. */
    public AttachmentRow(UUID id, UUID instanceId, String model, String endpoint, Instant attached) {
        this.id = id;
        this.instanceId = instanceId;
        this.model = model;
        this.endpoint = endpoint;
        this.attached = attached;
    }

    public UUID id() {
        return id;
    }

    public UUID instanceId() {
        return instanceId;
    }

    public String model() {
        return model;
    }

    public String endpoint() {
        return endpoint;
    }

    public Instant attached() {
        return attached;
    }
}
