package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Something a token is told. */
@Entity
@Table(name = "launch_event")
public class LaunchEventRow {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    private @Nullable Long id;

    private String tokenId;
    private long number;
    private @Nullable UUID requestId;
    private String body;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected LaunchEventRow() {}

    /** {@code body} is JSON; {@code requestId} is the launch it is about, if one. */
    public LaunchEventRow(String tokenId, long number, @Nullable UUID requestId, String body) {
        this.tokenId = tokenId;
        this.number = number;
        this.requestId = requestId;
        this.body = body;
    }

    public @Nullable Long id() {
        return id;
    }

    public String tokenId() {
        return tokenId;
    }

    public long number() {
        return number;
    }

    public @Nullable UUID requestId() {
        return requestId;
    }

    public String body() {
        return body;
    }
}
