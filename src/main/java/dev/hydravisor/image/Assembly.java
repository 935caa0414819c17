package dev.hydravisor.image;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Puts an image together in the store: several layers come in at once, and each is unpacked as soon as it and those below it are there,
 * while the next still arrive.
 */
final class Assembly {
    private static final int AT_ONCE = 3;

    private final OciStore.Ingest ingest;
    private final Composition composition;
    private final BlobSource source;
    private final Map<String, Layer> layers = new LinkedHashMap<>();

    /** How far a layer is. */
    private static final class Layer {
        private final Descriptor blob;
        private volatile long done;
        private volatile String phase = "waiting";

        Layer(Descriptor blob) {
            this.blob = blob;
        }

        Operation.Part part() {
            return new Operation.Part(blob.shortDigest(), phase, done, blob.size(), "bytes");
        }
    }

    Assembly(OciStore.Ingest ingest, Composition composition, BlobSource source) {
        this.ingest = ingest;
        this.composition = composition;
        this.source = source;
        composition.layers().forEach(l -> layers.putIfAbsent(l.digest(), new Layer(l)));
    }

    /** Adds everything and unpacks it, its progress told as the operation's parts; nothing has a name yet. */
    void run(Operation operation) throws Exception {
        try (var fetchers =
                Executors.newFixedThreadPool(AT_ONCE, Thread.ofVirtual().factory())) {
            Map<String, Future<?>> fetched = new HashMap<>();
            layers.forEach((digest, layer) -> fetched.put(digest, fetchers.submit(() -> fetch(layer))));
            var unpack = new FutureTask<@Nullable Void>(() -> {
                unpack(fetched);
                return null;
            });
            var unpacker = Thread.ofVirtual().start(unpack);
            try {
                watch(operation, fetched, unpack);
            } catch (Exception e) {
                // Nothing may still be at work when what was made is taken away.
                fetchers.shutdownNow();
                unpacker.interrupt();
                var interrupted = Thread.interrupted();
                fetchers.close();
                unpacker.join();
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
                throw e;
            }
        }
        describe();
    }

    private @Nullable Void fetch(Layer layer) throws Exception {
        layer.phase = "fetching";
        ingest.write(layer.blob, Map.of(), source, done -> layer.done = done);
        layer.done = layer.blob.size();
        layer.phase = "fetched";
        return null;
    }

    private void unpack(Map<String, Future<?>> fetched) throws Exception {
        var parent = "";
        for (int i = 0; i < composition.layers().size(); i++) {
            var blob = composition.layers().get(i);
            var layer = layers.get(blob.digest());
            var arrival = fetched.get(blob.digest());
            if (layer == null || arrival == null) {
                throw new IllegalStateException(blob.digest());
            }
            arrival.get();
            layer.phase = "unpacking";
            var chain = composition.chain(i + 1);
            ingest.unpack(blob, parent, composition.diffIds().get(i), chain);
            layer.phase = "done";
            parent = chain;
        }
    }

    private void watch(Operation operation, Map<String, Future<?>> fetched, Future<?> unpack) throws Exception {
        while (true) {
            try {
                unpack.get(100, TimeUnit.MILLISECONDS);
                operation.progress(parts());
                return;
            } catch (TimeoutException e) {
                operation.progress(parts());
                // The unpacker may wait for another layer than the one that failed.
                for (var layer : fetched.values()) {
                    if (layer.state() == Future.State.FAILED) {
                        throw cause(layer.exceptionNow());
                    }
                }
            } catch (ExecutionException e) {
                throw cause(e);
            }
        }
    }

    private static Exception cause(Throwable failure) {
        var cause = failure;
        while (cause instanceof ExecutionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause instanceof Exception e ? e : HydraException.failed(cause.toString(), cause);
    }

    private List<Operation.Part> parts() {
        return layers.values().stream().map(Layer::part).toList();
    }

    /** Adds configuration, manifest and indexes, each with labels that keep what it refers to. */
    private void describe() throws Exception {
        var size = composition.layers().size();
        add(composition.configuration(), Map.of(ingest.snapshotLabel(), composition.chain(size)));
        var descriptions = new ArrayList<>(composition.descriptions());
        var manifest = descriptions.removeLast();
        var labels = new HashMap<String, String>();
        labels.put(
                "containerd.io/gc.ref.content.config",
                composition.configuration().descriptor().digest());
        for (int i = 0; i < size; i++) {
            labels.put(
                    "containerd.io/gc.ref.content.l." + i,
                    composition.layers().get(i).digest());
        }
        add(manifest, labels);
        var below = manifest.descriptor().digest();
        for (int i = descriptions.size() - 1; i >= 0; i--) {
            add(
                    descriptions.get(i),
                    Map.of(
                            "containerd.io/gc.ref.content.m."
                                    + composition.chosen().get(i),
                            below));
            below = descriptions.get(i).descriptor().digest();
        }
    }

    private void add(Composition.Piece piece, Map<String, String> labels) throws Exception {
        ingest.write(piece.descriptor(), labels, _ -> new java.io.ByteArrayInputStream(piece.content()), _ -> {});
    }
}
