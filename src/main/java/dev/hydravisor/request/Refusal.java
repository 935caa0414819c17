package dev.hydravisor.request;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import org.jspecify.annotations.Nullable;

/** An error as it is told to who asked from elsewhere: a code of HTTP's meaning, a stable word, and the field at fault. */
public final class Refusal extends HydraException {
    private final int code;
    private final String reason;
    private final @Nullable String field;
    private final long retryAfterMillis;

    private Refusal(int code, String reason, @Nullable String field, long retryAfterMillis, String message) {
        super(exitCode(code), message);
        this.code = code;
        this.reason = reason;
        this.field = field;
        this.retryAfterMillis = retryAfterMillis;
    }

    /** @param reason a word that never changes, such as {@code name_taken} */
    public Refusal(int code, String reason, @Nullable String field, String message) {
        this(code, reason, field, 0, message);
    }

    /** Too much of something for now. */
    public static Refusal tooMany(String reason, long retryAfterMillis, String message) {
        return new Refusal(429, reason, null, Math.max(1, retryAfterMillis), message);
    }

    /** What any failure is to who asked: the word says no more than the code where nothing is known. */
    public static Refusal of(HydraException e) {
        if (e instanceof Refusal refusal) {
            return refusal;
        }
        return switch (e.exitCode()) {
            case USAGE -> new Refusal(422, "bad_value", null, e.text());
            case NOT_FOUND -> new Refusal(404, "not_found", null, e.text());
            case CONFLICT -> new Refusal(409, "conflict", null, e.text());
            case DENIED -> new Refusal(403, "denied", null, e.text());
            case UNAVAILABLE -> new Refusal(503, "unavailable", null, e.text());
            case INTERRUPTED -> new Refusal(503, "interrupted", null, "hydra's daemon ended; ask again");
            case DONE, FAILED -> new Refusal(503, "failed", null, e.text());
        };
    }

    public int code() {
        return code;
    }

    public String reason() {
        return reason;
    }

    /** The field of the message that is at fault, such as {@code container.cpus}; null when it is none. */
    public @Nullable String field() {
        return field;
    }

    /** When it is worth asking again, in milliseconds; 0 when that is not known. */
    public long retryAfterMillis() {
        return retryAfterMillis;
    }

    private static ExitCode exitCode(int code) {
        return switch (code) {
            case 400, 413, 422 -> ExitCode.USAGE;
            case 401, 403 -> ExitCode.DENIED;
            case 404 -> ExitCode.NOT_FOUND;
            case 409 -> ExitCode.CONFLICT;
            case 429, 503 -> ExitCode.UNAVAILABLE;
            default -> ExitCode.FAILED;
        };
    }
}
