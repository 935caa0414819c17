package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Transient;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.data.domain.Persistable;

/** A launch that a token asked for. */
@Entity
@Table(name = "launch_request")
public class LaunchRequestRow implements Persistable<UUID> {
    @Id
    private UUID id;

    private String tokenId;
    private String idempotencyKey;
    private String name;
    private String request;
    private String state;
    private @Nullable String outcome;
    private @Nullable UUID instanceId;
    private Instant created;

    @Transient
    private boolean isNew;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected LaunchRequestRow() {}

    /** A new one, which runs. {@code request} is JSON. */
    public LaunchRequestRow(
            UUID id, String tokenId, String idempotencyKey, String name, String request, Instant created) {
        this.id = id;
        this.tokenId = tokenId;
        this.idempotencyKey = idempotencyKey;
        this.name = name;
        this.request = request;
        this.state = "running";
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

    public String tokenId() {
        return tokenId;
    }

    public String idempotencyKey() {
        return idempotencyKey;
    }

    public String name() {
        return name;
    }

    public String request() {
        return request;
    }

    public String state() {
        return state;
    }

    public @Nullable String outcome() {
        return outcome;
    }

    public @Nullable UUID instanceId() {
        return instanceId;
    }

    public Instant created() {
        return created;
    }
}
