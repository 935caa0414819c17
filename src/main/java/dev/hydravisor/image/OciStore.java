package dev.hydravisor.image;

import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;

/**
 * Where container images are kept: containerd. Implemented by the container backend. Every call may throw a
 * {@link dev.hydravisor.operation.HydraException} UNAVAILABLE.
 */
public interface OciStore {
    /** A name and what it stands for. {@code updated} is when it got that meaning. */
    record Named(String name, Descriptor target, Instant updated) {}

    /** Whether there is such a store on this host at all, running or not. */
    boolean installed();

    Optional<Named> find(String name);

    List<Named> list();

    /** The whole of a small blob, unverified; empty when it is not there. */
    Optional<byte[]> read(String digest);

    /** Whether the root file system of a chain of layers is there. */
    boolean unpacked(String chain);

    /** The names of the images that containers were made from, whoever made them. */
    Set<String> used();

    /** Takes a name away, and then all that nothing else needs; a name that is not there is no error. */
    void delete(String name);

    /** Begins to add an image. */
    Ingest begin();

    /** An image on its way in. What was added and not named when it is closed is gone again. Safe to use from several threads. */
    interface Ingest extends AutoCloseable {
        /**
         * Adds a blob, once its digest is proved; one that is there already is only labelled.
         *
         * @param labels what the blob refers to, in containerd's words
         * @param progress hears how many bytes of it have been taken so far
         * @throws dev.hydravisor.operation.HydraException FAILED when the content is not what the digest says
         */
        void write(Descriptor blob, Map<String, String> labels, BlobSource source, LongConsumer progress)
                throws IOException, InterruptedException;

        /**
         * Unpacks a layer that was added onto the chain below it, unless that was done before.
         *
         * @param parent the chain below; empty for the lowest layer
         * @param diffId digest of the layer, uncompressed
         * @param chain the chain up to this layer
         * @throws dev.hydravisor.operation.HydraException FAILED when what came out is not what {@code diffId} says
         */
        void unpack(Descriptor layer, String parent, String diffId, String chain);

        /** A layer that was made here, and its digest uncompressed. */
        record Change(Descriptor layer, String diffId) {}

        /** Adds, as a layer, what a snapshot has otherwise than the chain it is based on. */
        Change diff(String snapshot);

        /** The label by which a configuration refers to its root file system. */
        String snapshotLabel();

        /** Gives what was added its name, and with it permanence; a name that is there gets this new meaning. */
        Named name(String name, Descriptor target);

        @Override
        void close();
    }
}
