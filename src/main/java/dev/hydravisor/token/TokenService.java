package dev.hydravisor.token;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.host.ShortName;
import dev.hydravisor.inventory.TokenRow;
import dev.hydravisor.inventory.Tokens;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Grants;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.policy.Rule;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.stereotype.Service;
import tools.jackson.databind.json.JsonMapper;

/**
 * The tokens. A secret is written {@code hyd_<id>_<random>}; its random part has 256 bits, so one round of a salted hash keeps it.
 */
@Service
public class TokenService implements Grants {
    private static final Pattern SECRET = Pattern.compile("hyd_([0-9a-f]{12})_([A-Za-z0-9_-]{43})");
    private static final int SALT_BYTES = 16;

    private final Tokens tokens;
    private final Guard guard;
    private final ApplicationEventPublisher events;
    private final SecureRandom random = new SecureRandom();
    /** Stands where there is no such token, so that the same is done for it. */
    private final TokenRow nobody;

    TokenService(Tokens tokens, Guard guard, ApplicationEventPublisher events) {
        this.tokens = tokens;
        this.guard = guard;
        this.events = events;
        this.nobody = new TokenRow(
                "none",
                "none",
                bytes(SALT_BYTES),
                bytes(32),
                JsonMapper.shared().writeValueAsString(new Scope(Set.copyOf(Scope.VERBS), List.of("*"), 1, 1, 1)),
                Instant.EPOCH,
                Instant.EPOCH);
    }

    /** A new token and its secret, which is nowhere else. */
    public record Created(Token token, String secret) {}

    /**
     * Makes a token.
     *
     * @param lifetime null for one that never expires
     * @throws HydraException USAGE for a bad name; CONFLICT when a token of this name is not revoked
     */
    public Created create(String name, Scope scope, @Nullable Duration lifetime) {
        checkName(name);
        var created = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        var id = HexFormat.of().formatHex(bytes(6));
        var secret = "hyd_" + id + "_" + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes(32));
        var salt = bytes(SALT_BYTES);
        var row = new TokenRow(
                id,
                name,
                salt,
                hash(salt, secret),
                JsonMapper.shared().writeValueAsString(scope),
                created,
                lifetime == null ? null : created.plus(lifetime));
        return guard.act(Action.of("token.create", name), () -> new Created(token(tokens.save(row)), secret));
    }

    /** What {@link #create} would refuse. */
    public void checkName(String name) {
        ShortName.check(name, "a token");
        if (list().stream().anyMatch(t -> t.name().equals(name) && t.revoked() == null)) {
            throw HydraException.conflict("there is a token `" + name + "`; `hydra token revoke " + name
                    + "` ends it, or choose another name");
        }
    }

    /** All tokens, oldest first, revoked ones too. */
    public List<Token> list() {
        return tokens.findAllByOrderByCreated().stream()
                .map(TokenService::token)
                .toList();
    }

    /**
     * The token of a name, the one that is not revoked before others; or of an id.
     *
     * @throws HydraException NOT_FOUND
     */
    public Token find(String nameOrId) {
        return list().stream()
                .filter(t -> t.name().equals(nameOrId) || t.id().equals(nameOrId))
                .reduce((a, b) -> a.revoked() == null ? a : b)
                .orElseThrow(() -> HydraException.notFound("there is no token `" + PlainText.shorten(nameOrId)
                        + "`; `hydra token list` shows what there is"));
    }

    /** Makes a token worthless at once; one that is revoked already is success. */
    public Token revoke(String nameOrId) {
        var token = find(nameOrId);
        guard.act(Action.of("token.revoke", token.name()), () -> {
            tokens.revoke(token.id(), Instant.now().truncatedTo(ChronoUnit.MILLIS));
            events.publishEvent(new TokenRevoked(token.id()));
        });
        return find(token.id());
    }

    /** What a token may do, until a file of the policy denies it; nothing once it is revoked or has expired. */
    @Override
    public List<Rule> rules(Actor actor) {
        return actor.kind() != Actor.Kind.TOKEN
                ? List.of()
                : list().stream()
                        .filter(t -> t.name().equals(actor.name()) && t.state().equals("valid"))
                        .map(t -> t.scope().rule("token `" + t.name() + "`"))
                        .toList();
    }

    /**
     * The token of a secret; empty when it opens nothing. It takes the same time whether a secret is wrong, expired, revoked, of no
     * token, or none at all.
     */
    public Optional<Token> authenticate(@Nullable String secret) {
        var match = SECRET.matcher(secret == null ? "" : secret);
        var matches = match.matches();
        var row = tokens.findById(matches ? match.group(1) : nobody.getId()).orElse(nobody);
        var same = MessageDigest.isEqual(row.hash(), hash(row.salt(), matches && secret != null ? secret : ""));
        var token = token(row);
        return same & token.state().equals("valid") ? Optional.of(token) : Optional.empty();
    }

    private static Token token(TokenRow row) {
        return new Token(
                row.getId(),
                row.name(),
                JsonMapper.shared().readValue(row.scope(), Scope.class),
                row.created(),
                row.expires(),
                row.revoked());
    }

    private static byte[] hash(byte[] salt, String secret) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(salt);
            return digest.digest(secret.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private byte[] bytes(int count) {
        var bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }
}
