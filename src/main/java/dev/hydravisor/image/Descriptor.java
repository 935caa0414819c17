package dev.hydravisor.image;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.regex.Pattern;

/**
 * A piece of content, named by what it contains.
 *
 * @param digest {@code sha256:} and 64 hex digits
 * @param size in bytes
 */
public record Descriptor(String mediaType, String digest, long size) {
    private static final Pattern SHA256 = Pattern.compile("sha256:[0-9a-f]{64}");

    /** @throws HydraException FAILED when the digest is none, or not of SHA-256, or the size is negative */
    public Descriptor {
        if (!SHA256.matcher(digest).matches()) {
            throw HydraException.failed("digest `" + PlainText.shorten(digest)
                    + "` is not supported: only `sha256:` and 64 hex digits are; use an image made with it");
        }
        if (size < 0) {
            throw HydraException.failed("`" + digest + "` is said to have " + size + " bytes; use another image");
        }
    }

    /** The digest's first 12 hex digits, as people know it. */
    public String shortDigest() {
        return digest.substring("sha256:".length(), "sha256:".length() + 12);
    }
}
