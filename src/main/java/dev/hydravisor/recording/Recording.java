package dev.hydravisor.recording;

import java.nio.file.Path;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one recording.
 *
 * @param id the name of its folder, {@code session-<start>}
 * @param kind {@code vm} or {@code container}
 * @param imageDigest of the image the instance was made from, as {@code sha256:…}; empty where it is not known
 * @param cols width of the terminal at the start, in columns
 * @param end when the session ended, or the last moment recorded of one that was cut off; null while it is recorded
 * @param endReason why it ended; null unless it was ended properly
 * @param seconds its length so far
 * @param bytes what the terminal printed
 * @param folder where it lies
 */
public record Recording(
        String id,
        String instance,
        String instanceId,
        String kind,
        String image,
        String imageDigest,
        String user,
        String host,
        String title,
        int cols,
        int rows,
        Instant start,
        @Nullable Instant end,
        @Nullable String endReason,
        State state,
        double seconds,
        long bytes,
        String folder) {

    public enum State {
        /** A recorder is at work. */
        RECORDING,
        /** Nothing is recorded until it is resumed. */
        PAUSED,
        /** No recorder is at work, yet nobody ended it: it can be read, and goes on when a recorder is started again. */
        CUT_OFF,
        ENDED
    }

    /** A file of this recording, such as {@code terminal.log}. */
    public Path file(String name) {
        return Path.of(folder).resolve(name);
    }
}
