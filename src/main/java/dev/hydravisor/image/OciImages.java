package dev.hydravisor.image;

import dev.hydravisor.image.registry.Registries;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Service;

/** The images containers start from: pulled from registries or read from archives, kept by containerd. */
@Service
@EnableConfigurationProperties(ImageProperties.class)
public class OciImages {
    private static final Logger log = LoggerFactory.getLogger(OciImages.class);
    private static final int REMEMBERED = 256;

    private final OciStore store;
    private final Registries registries;
    private final Map<String, ReentrantLock> locks = new ConcurrentHashMap<>();
    /** What is known of images by their digests, which always mean the same. */
    private final Map<String, Composition> compositions = Collections.synchronizedMap(new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Composition> eldest) {
            return size() > REMEMBERED;
        }
    });

    public OciImages(OciStore store, ImageProperties properties) {
        this.store = store;
        this.registries = new Registries(properties);
    }

    /**
     * The image a user means: the one that is here, else pulled.
     *
     * @param ref such as {@code alpine} or {@code registry.example/tool@sha256:…}
     * @throws HydraException USAGE when it is no reference; NOT_FOUND when no registry has it
     */
    public OciImage resolve(Operation operation, String ref) {
        var reference = Reference.parse(ref);
        var known = find(reference);
        return known.isPresent() ? known.get() : pull(operation, ref);
    }

    /** As {@link #resolve}, but asks the registry whether the name means something newer by now. */
    public OciImage pull(Operation operation, String ref) {
        var reference = Reference.parse(ref);
        return locked(reference.name(), () -> operation.call(() -> pull(operation, reference)));
    }

    /**
     * Adds an image from an archive under a name.
     *
     * @param root what the name stands for: an index or a manifest
     */
    OciImage add(Operation operation, Reference reference, Descriptor root, BlobSource source) {
        return locked(
                reference.name(),
                () -> operation.call(() -> assemble(
                        operation,
                        "importing " + reference.familiar(),
                        reference.name(),
                        Composition.read(root, source, reference.familiar()),
                        source)));
    }

    /**
     * Makes an image of another and of what a container that was made of it has changed.
     *
     * @param base the other's full name
     * @param snapshot the container's, in the store
     * @param name of the new one, as a user writes it; an image of that name gets this new meaning
     * @throws HydraException NOT_FOUND when the other is no longer here
     */
    public OciImage commit(Operation operation, String base, String snapshot, String name) {
        var reference = Reference.parse(name);
        if (reference.digest() != null) {
            throw HydraException.usage("`" + reference.familiar() + "` names a digest; give a name and a tag");
        }
        return locked(
                reference.name(),
                () -> operation.call(() -> {
                    var known = find(Reference.parse(base))
                            .map(image -> compositions.get(image.digest()))
                            .orElseThrow(
                                    () -> HydraException.notFound(
                                            "the image `"
                                                    + Reference.parse(base).familiar()
                                                    + "` the container was made of is no longer here; bring it in again with `hydra image pull`"));
                    return operation.stage("packing its changes", () -> {
                        try (var ingest = store.begin()) {
                            var change = ingest.diff(snapshot);
                            var blobs = new HashMap<String, byte[]>();
                            var root = known.with(change, blobs);
                            BlobSource source = blob -> {
                                var content = blobs.get(blob.digest());
                                if (content == null) {
                                    throw HydraException.failed(
                                            "layer `" + blob.shortDigest()
                                                    + "` of the image is no longer here; bring the image in again with `hydra image pull`");
                                }
                                return new java.io.ByteArrayInputStream(content);
                            };
                            var composition = Composition.read(root, source, reference.familiar());
                            new Assembly(ingest, composition, source).run(operation);
                            var named = ingest.name(reference.name(), composition.root());
                            compositions.put(composition.root().digest(), composition);
                            return image(named, composition);
                        }
                    });
                }));
    }

    /** The image of that name, when it is here, whole and unpacked. */
    public Optional<OciImage> find(Reference reference) {
        return store.find(reference.name()).flatMap(this::whole);
    }

    /** All that are here, by name; without those that are not whole, such as another platform's. */
    public List<OciImage> list() {
        return store.list().stream()
                .flatMap(named -> whole(named).stream())
                .sorted(java.util.Comparator.comparing(OciImage::name))
                .toList();
    }

    private OciImage pull(Operation operation, Reference reference) throws Exception {
        var shown = reference.familiar();
        try (var repository = registries.open(reference)) {
            var composition = operation.stage("looking up " + shown, () -> {
                var known = find(reference).orElse(null);
                if (known != null
                        && (reference.digest() != null
                                || repository
                                        .digest(reference.version())
                                        .filter(known.digest()::equals)
                                        .isPresent())) {
                    return null;
                }
                var document = repository.manifest(reference.version());
                var root = Composition.root(document.content(), document.mediaType());
                if (reference.digest() != null && !reference.digest().equals(root.digest())) {
                    throw Composition.wrongDigest(root);
                }
                return Composition.read(root, known(root, document.content(), repository), shown);
            });
            return composition == null
                    ? require(reference)
                    : assemble(operation, "pulling " + shown, reference.name(), composition, repository);
        }
    }

    /** Adds an image to the store under a name. */
    private OciImage assemble(
            Operation operation, String stage, String name, Composition composition, BlobSource source) {
        return operation.stage(stage, () -> {
            try (var ingest = store.begin()) {
                new Assembly(ingest, composition, source).run(operation);
                var named = ingest.name(name, composition.root());
                compositions.put(composition.root().digest(), composition);
                return image(named, composition);
            }
        });
    }

    private OciImage require(Reference reference) {
        return find(reference)
                .orElseThrow(() -> HydraException.failed(
                        "image `" + reference.familiar() + "` was removed in this moment; try again"));
    }

    /** A source that has one blob in memory already. */
    static BlobSource known(Descriptor blob, byte[] content, BlobSource others) {
        return new BlobSource() {
            @Override
            public InputStream open(Descriptor wanted) throws IOException, InterruptedException {
                return wanted.equals(blob) ? new java.io.ByteArrayInputStream(content) : others.open(wanted);
            }

            @Override
            public byte[] small(Descriptor wanted) throws IOException, InterruptedException {
                return wanted.equals(blob) ? content : others.small(wanted);
            }
        };
    }

    private Optional<OciImage> whole(OciStore.Named named) {
        var composition = compositions.get(named.target().digest());
        if (composition == null) {
            try {
                composition = Composition.read(
                        named.target(),
                        blob -> new java.io.ByteArrayInputStream(store.read(blob.digest())
                                .orElseThrow(() -> HydraException.notFound("`" + blob.digest() + "` is not here"))),
                        named.name());
            } catch (HydraException e) {
                if (e.exitCode() == dev.hydravisor.operation.ExitCode.UNAVAILABLE) {
                    throw e;
                }
                // Others may keep what they like in this store.
                log.debug("image {} is passed over: {}", named.name(), e.text());
                return Optional.empty();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw HydraException.interrupted();
            }
            compositions.put(named.target().digest(), composition);
        }
        return store.unpacked(composition.chain(composition.layers().size()))
                ? Optional.of(image(named, composition))
                : Optional.empty();
    }

    private static OciImage image(OciStore.Named named, Composition composition) {
        return new OciImage(
                named.name(),
                named.target().digest(),
                composition.platform(),
                composition.size(),
                composition.chain(composition.layers().size()),
                named.updated(),
                composition.config());
    }

    private <T extends @Nullable Object> T locked(String name, java.util.function.Supplier<T> work) {
        var lock = locks.computeIfAbsent(name, _ -> new ReentrantLock());
        try {
            lock.lockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }
}
