package dev.hydravisor.recording;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * The moment a recording began, on the kernel's monotonic clock, so that the recorder's times and the daemon's are one scale whatever
 * happens to the wall clock; after a reboot the wall clock takes over.
 *
 * @param boot the kernel's boot id
 * @param monotonicUs CLOCK_MONOTONIC at the start, in microseconds
 * @param wallUs the wall clock at the start, in microseconds since 1970
 */
record Origin(String boot, long monotonicUs, long wallUs) {
    static Origin now() {
        return new Origin(bootId(), monotonic(), wall());
    }

    Instant start() {
        return Instant.EPOCH.plus(wallUs, ChronoUnit.MICROS);
    }

    /** Microseconds since the start. */
    long elapsed() {
        return Math.max(0, bootId().equals(boot) ? monotonic() - monotonicUs : wall() - wallUs);
    }

    /** HotSpot on Linux reads CLOCK_MONOTONIC for this. */
    private static long monotonic() {
        return System.nanoTime() / 1000;
    }

    private static long wall() {
        return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
    }

    private static String bootId() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
