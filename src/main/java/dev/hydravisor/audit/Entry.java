package dev.hydravisor.audit;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * A record of the trail: an {@link Event} and its place in the chain.
 *
 * @param number 1 for the first, without a gap
 * @param time ISO 8601, UTC, microseconds
 * @param previous the hash of the record before; 64 zeros for the first
 * @param hash SHA-256, in hex, of this record's {@link #canonical} form without the hash
 */
public record Entry(
        long number,
        String time,
        String request,
        String actor,
        String action,
        String target,
        String detail,
        String outcome,
        String reason,
        String rule,
        long of,
        String previous,
        String hash) {
    static final String NONE = "0".repeat(64);
    private static final int LONGEST = 8192;

    /** ASCII alone, so that no text can steer a terminal or begin a line; any other field is an error. */
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    /** The record that follows on another; on none for null. */
    static Entry after(@Nullable Entry last, Event event) {
        var time = Instant.now().truncatedTo(ChronoUnit.MICROS).toString();
        return new Entry(
                        last == null ? 1 : last.number + 1,
                        time,
                        fitting(event.request()),
                        fitting(event.actor()),
                        fitting(event.action()),
                        fitting(event.target()),
                        fitting(event.detail()),
                        fitting(event.outcome()),
                        fitting(event.reason()),
                        fitting(event.rule()),
                        event.of(),
                        last == null ? NONE : last.hash,
                        "")
                .hashed();
    }

    /** As it stands in the file, without its newline. */
    String canonical() {
        return JSON.writeValueAsString(this);
    }

    /** Null when the line is not what {@link #canonical} writes. */
    static @Nullable Entry read(String line) {
        try {
            var entry = JSON.readValue(line, Entry.class);
            return entry != null && entry.canonical().equals(line) ? entry : null;
        } catch (JacksonException | NullPointerException e) {
            return null;
        }
    }

    boolean isSound() {
        return hashed().hash.equals(hash);
    }

    private Entry hashed() {
        var bare = with("");
        try {
            var digest =
                    MessageDigest.getInstance("SHA-256").digest(bare.canonical().getBytes(StandardCharsets.US_ASCII));
            return bare.with(HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private Entry with(String other) {
        return new Entry(
                number, time, request, actor, action, target, detail, outcome, reason, rule, of, previous, other);
    }

    /** Both stores must give back what they were given: no half surrogates, and not without an end. */
    private static String fitting(String text) {
        var whole = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        if (whole.length() <= LONGEST) {
            return whole;
        }
        var end = Character.isHighSurrogate(whole.charAt(LONGEST - 2)) ? LONGEST - 2 : LONGEST - 1;
        return whole.substring(0, end) + "…";
    }
}
