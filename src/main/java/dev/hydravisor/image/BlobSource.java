package dev.hydravisor.image;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.InputStream;

/** Where the blobs of an image come from: a registry, an archive, memory. Safe to use from several threads. */
@FunctionalInterface
public interface BlobSource {
    /** The most bytes of a manifest, an index or a configuration. */
    int SMALL = 4 << 20;

    /**
     * Opens a blob. The stream gives exactly the announced number of bytes or fails; what they are is for the reader to verify.
     *
     * @throws HydraException when it cannot be had
     */
    InputStream open(Descriptor blob) throws IOException, InterruptedException;

    /** The whole of a manifest, an index or a configuration, unverified. */
    default byte[] small(Descriptor blob) throws IOException, InterruptedException {
        if (blob.size() > SMALL) {
            throw HydraException.failed("`" + blob.shortDigest() + "` is said to have " + blob.size()
                    + " bytes, which is too much for a description; use another image");
        }
        try (var in = open(blob)) {
            return in.readNBytes(SMALL);
        }
    }
}
