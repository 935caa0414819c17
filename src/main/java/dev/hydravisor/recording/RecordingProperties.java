package dev.hydravisor.recording;

import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Settings of recordings.
 *
 * @param compressAfter how long after its end a recording is compressed; 0 for never
 */
@ConfigurationProperties("recording")
record RecordingProperties(
        @DefaultValue("warn") OnFailure onFailure,
        @DefaultValue("0") Duration compressAfter,
        @DefaultValue Redact redact) {
    /** What happens to a workspace whose recorder cannot write, as on a full disk. */
    enum OnFailure {
        /** Its border and {@code hydra doctor} say so. */
        WARN,
        /** It is closed. */
        STOP
    }

    /** @param rules the user's own, beside those built in */
    record Redact(@DefaultValue List<Own> rules) {}

    /**
     * A rule of the user's.
     *
     * @param before regular expression of what stands before the secret, which is kept
     * @param secret regular expression of the secret
     */
    record Own(String name, @DefaultValue("") String before, String secret) {}
}
