package dev.hydravisor.image;

import java.time.Instant;

/**
 * An image instances start from.
 *
 * @param format {@code qcow2} or {@code raw}, as it was imported; it is kept as qcow2
 * @param sha256 of the file as it was imported, lower-case hex
 * @param size bytes of the file as it was imported
 * @param virtualSize bytes the guest sees
 * @param source where it came from: a path or a URL
 */
public record Image(
        String name, String format, String sha256, long size, long virtualSize, String source, Instant imported) {

    /** Its name in the {@link DiskStore}, which several users may share: never the same for another content. */
    public String volume() {
        return name + "-" + sha256.substring(0, 12) + ".qcow2";
    }
}
