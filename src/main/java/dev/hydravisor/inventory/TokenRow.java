package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Transient;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.springframework.data.domain.Persistable;

/** A token of the launch endpoint. */
@Entity
@Table(name = "token")
public class TokenRow implements Persistable<String> {
    @Id
    private String id;

    private String name;
    private byte[] salt;
    private byte[] hash;
    private String scope;
    private Instant created;
    private @Nullable Instant expires;
    private @Nullable Instant revoked;

    @Transient
    private boolean isNew;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected TokenRow() {}

    /** A new one. {@code scope} is JSON; {@code salt} has 16 bytes, {@code hash} 32. */
    public TokenRow(
            String id,
            String name,
            byte[] salt,
            byte[] hash,
            String scope,
            Instant created,
            @Nullable Instant expires) {
        this.id = id;
        this.name = name;
        this.salt = salt.clone();
        this.hash = hash.clone();
        this.scope = scope;
        this.created = created;
        this.expires = expires;
        this.isNew = true;
    }

    @Override
    public String getId() {
        return id;
    }

    @Override
    public boolean isNew() {
        return isNew;
    }

    public String name() {
        return name;
    }

    public byte[] salt() {
        return salt.clone();
    }

    public byte[] hash() {
        return hash.clone();
    }

    public String scope() {
        return scope;
    }

    public Instant created() {
        return created;
    }

    public @Nullable Instant expires() {
        return expires;
    }

    public @Nullable Instant revoked() {
        return revoked;
    }
}
