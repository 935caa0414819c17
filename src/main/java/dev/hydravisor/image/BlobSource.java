package dev.hydravisor.image;

import java.io.IOException;
import java.io.InputStream;

/** Where the blobs of an image come from: a registry, or an archive. Safe to use from several threads. */
public interface BlobSource {
    /**
     * Opens a blob. The stream gives exactly the announced number of bytes or fails; what they are is for the reader to verify.
     *
     * @throws dev.hydravisor.operation.HydraException when it cannot be had
     */
    InputStream open(Descriptor blob) throws IOException, InterruptedException;
}
