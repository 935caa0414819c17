package dev.hydravisor.token;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A token, without its secret.
 *
 * @param id the public part of the secret
 * @param expires null when it never does
 * @param revoked when it was; null when it was not
 */
public record Token(
        String id,
        String name,
        Scope scope,
        Instant created,
        @Nullable Instant expires,
        @Nullable Instant revoked) {

    /** {@code valid}, {@code expired} or {@code revoked}. */
    public String state() {
        return revoked != null ? "revoked" : expired(Instant.now()) ? "expired" : "valid";
    }

    boolean expired(Instant now) {
        return expires != null && !now.isBefore(expires);
    }
}
