package dev.hydravisor.image;

import java.time.Instant;

/**
 * An image instances start from.
 *
 * @param format {@code qcow2} or {@code raw}
 * @param sha256 of the file as it was imported, lower-case hex
 * @param size bytes it takes on disk
 * @param virtualSize bytes the guest sees
 * @param source where it came from: a path or a URL
 */
public record Image(
        String name, String format, String sha256, long size, long virtualSize, String source, Instant imported) {}
