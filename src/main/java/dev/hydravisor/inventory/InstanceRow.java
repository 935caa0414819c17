package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Transient;
import java.time.Instant;
import java.util.UUID;
import org.springframework.data.domain.Persistable;

/** An instance as it was asked for. What it is doing is its backend's to say. */
@Entity
@Table(name = "instance")
public class InstanceRow implements Persistable<UUID> {
    @Id
    private UUID id;

    private String name;
    private String kind;
    private String spec;
    private boolean complete;
    private Instant created;

    @Transient
    private boolean isNew;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected InstanceRow() {}

    /** A new one, not yet complete. {@code spec} is JSON. */
    public InstanceRow(UUID id, String name, String kind, String spec, Instant created) {
        this.id = id;
        this.name = name;
        this.kind = kind;
        this.spec = spec;
        this.created = created;
        this.isNew = true;
    }

    @Override
    public UUID getId() {
        return id;
    }

    @Override
    public boolean isNew() {
        return isNew;
    }

    public String name() {
        return name;
    }

    public String kind() {
        return kind;
    }

    public String spec() {
        return spec;
    }

    public boolean complete() {
        return complete;
    }

    public Instant created() {
        return created;
    }
}
