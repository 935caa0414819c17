package dev.hydravisor.container;

import java.time.Instant;

/**
 * What a container's main process printed at one time: a line, or a part of one.
 *
 * @param whole false when the line goes on in the next entry
 */
public record LogEntry(Instant time, boolean stderr, boolean whole, String text) {
    /** Reads an entry as {@code logger} writes it. */
    static LogEntry parse(String line) {
        var parts = line.split(" ", 4);
        if (parts.length < 4) {
            throw new IllegalArgumentException("no log entry: " + line);
        }
        return new LogEntry(Instant.parse(parts[0]), parts[1].equals("stderr"), parts[2].equals("F"), parts[3]);
    }
}
