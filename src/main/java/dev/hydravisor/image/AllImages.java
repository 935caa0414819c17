package dev.hydravisor.image;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.inventory.InstanceRow;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;
import tools.jackson.databind.json.JsonMapper;

/** The images of both kinds, disks of VMs and images of containers, as one collection. */
@Service
public class AllImages {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** What an image is for. */
    public enum Kind {
        VM,
        CONTAINER
    }

    /**
     * An image of either kind.
     *
     * @param format {@code qcow2}, {@code raw} or {@code oci}
     * @param sha256 of the file, or of the index or manifest; lower-case hex
     * @param size bytes as it was imported or pulled
     * @param virtualSize bytes a guest sees; null for containers
     * @param usedBy the instances made from it, by name
     */
    public record Entry(
            String name,
            Kind kind,
            String format,
            String sha256,
            long size,
            @Nullable Long virtualSize,
            String source,
            Instant imported,
            List<String> usedBy) {
        @JsonIgnore
        public boolean isUsed() {
            return !usedBy.isEmpty();
        }
    }

    private final ImageService disks;
    private final OciImages oci;
    private final OciStore store;
    private final Instances instances;
    private final HydraHome home;
    private final Guard guard;

    public AllImages(
            ImageService disks, OciImages oci, OciStore store, Instances instances, HydraHome home, Guard guard) {
        this.disks = disks;
        this.oci = oci;
        this.store = store;
        this.instances = instances;
        this.home = home;
        this.guard = guard;
    }

    /** All images: disks first, each kind by name. Says as a notice when containerd, which should be there, does not answer. */
    public List<Entry> list(Operation operation) {
        var rows = instances.findAllByOrderByName();
        var all = new ArrayList<>(
                disks.list().stream().map(image -> entry(image, rows)).toList());
        if (store.installed()) {
            try {
                all.addAll(containers(rows));
            } catch (HydraException e) {
                if (e.exitCode() != ExitCode.UNAVAILABLE) {
                    throw e;
                }
                operation.notice("images of containers are not shown: " + e.text());
            }
        }
        return all;
    }

    /** Names of the images of some kinds, of those that can be asked; for completion. */
    public List<String> names(Kind... kinds) {
        return list(Operation.silent()).stream()
                .filter(e -> List.of(kinds).contains(e.kind()))
                .map(Entry::name)
                .toList();
    }

    /**
     * The image of a name: a disk of exactly this name, else a container image by its reference.
     *
     * @throws HydraException NOT_FOUND when there is none
     */
    public Entry require(String name) {
        var rows = instances.findAllByOrderByName();
        var disk = disks.find(name);
        if (disk.isPresent()) {
            return entry(disk.get(), rows);
        }
        return container(name)
                .map(image -> entry(image, rows, store.used()))
                .orElseThrow(
                        () -> HydraException.notFound("image `" + name + "` does not exist; see `hydra image list`"));
    }

    /**
     * Removes an image, and what no other needs of it.
     *
     * @throws HydraException NOT_FOUND when there is none; CONFLICT while an instance is made from it
     */
    public void delete(Operation operation, String name) {
        var entry = require(name);
        guard.<@Nullable Void>act(operation, action("delete", entry.name()), () -> {
            delete(operation, entry);
            return null;
        });
    }

    private void delete(Operation operation, Entry entry) {
        if (entry.kind() == Kind.VM) {
            operation.stage("deleting " + entry.name(), () -> disks.delete(entry.name()));
            return;
        }
        if (entry.isUsed()) {
            throw HydraException.conflict("image `" + entry.name() + "` is used by `"
                    + String.join("`, `", entry.usedBy()) + "`; delete "
                    + (entry.usedBy().size() == 1 ? "that" : "those") + " first");
        }
        operation.stage("deleting " + entry.name(), () -> store.delete(entry.source()));
    }

    /**
     * Pulls a container image, also where one of this name is here: its tag may mean something newer by now.
     *
     * @return its short name
     * @throws HydraException USAGE when it is no reference; NOT_FOUND when no registry has it
     */
    public String pull(Operation operation, String ref) {
        return guard.act(
                operation, action("pull", ref), () -> oci.pull(operation, ref).familiar());
    }

    /**
     * What is about to be done to an image, for the policy.
     *
     * @param verb such as {@code pull}
     */
    public static Action action(String verb, String name) {
        var names = new java.util.LinkedHashSet<String>();
        names.add(name);
        try {
            var reference = Reference.parse(name);
            names.add(reference.familiar());
            names.add(reference.name());
        } catch (HydraException e) {
            // The name of a disk, a path or a URL.
        }
        return Action.of("image." + verb, name).image(names);
    }

    /** As {@link #action}, for an import; the image's name may be unknown yet. */
    public static Action importing(@Nullable String name, String source) {
        return Action.of("image.import", name == null ? source : name).image(Set.of(source));
    }

    /** The images that no instance is made from: those of containers, which can be pulled again; with {@code disksToo} all. */
    public List<Entry> unused(Operation operation, boolean disksToo) {
        return list(operation).stream()
                .filter(e -> !e.isUsed() && (disksToo || e.kind() == Kind.CONTAINER))
                .toList();
    }

    /**
     * Imports a file for what its content is: a disk, or an archive of container images.
     *
     * @param name what it shall be called; null for the name in the archive, or the file's own
     * @param source an absolute path or an http(s) URL; archives only as a path
     * @param sha256 what the file's digest must be; null to take what comes
     * @return the names of what was imported
     */
    public List<String> importFile(Operation operation, @Nullable String name, String source, @Nullable String sha256) {
        return guard.act(operation, importing(name, source), () -> importAny(operation, name, source, sha256));
    }

    private List<String> importAny(Operation operation, @Nullable String name, String source, @Nullable String sha256) {
        var file = source.startsWith("/") ? Path.of(source) : null;
        if (file == null || !Files.isRegularFile(file)) {
            return List.of(importDisk(operation, name, source, sha256));
        }
        try {
            return switch (ImageArchive.form(file)) {
                case TAR -> importArchive(operation, name, check(operation, file, source, sha256), source);
                case GZIP -> importCompressed(operation, name, check(operation, file, source, sha256), source);
                case OTHER -> List.of(importDisk(operation, name, source, sha256));
            };
        } catch (IOException e) {
            throw HydraException.failed("`" + source + "` cannot be read (" + e.getMessage() + "); check it", e);
        }
    }

    private String importDisk(Operation operation, @Nullable String name, String source, @Nullable String sha256) {
        return name == null
                ? disks.importUnderItsOwnName(operation, source, sha256).name()
                : disks.importDisk(operation, name, source, sha256).name();
    }

    private static Path check(Operation operation, Path file, String source, @Nullable String sha256) {
        if (sha256 != null) {
            operation.stage("checking", () -> {
                if (!DiskFile.sha256(operation, file, source).equalsIgnoreCase(sha256)) {
                    throw ImageService.wrongDigest(source);
                }
            });
        }
        return file;
    }

    private List<String> importCompressed(Operation operation, @Nullable String name, Path file, String source)
            throws IOException {
        var plain = Files.createTempFile(home.images(), "import-", ".tar");
        try {
            operation.stage("decompressing", () -> {
                try (var in = new GZIPInputStream(Files.newInputStream(file), 1 << 16);
                        var out = Files.newOutputStream(plain)) {
                    var buffer = new byte[1 << 16];
                    long done = 0;
                    int read;
                    while ((read = in.read(buffer)) >= 0) {
                        if (Thread.currentThread().isInterrupted()) {
                            throw HydraException.interrupted();
                        }
                        out.write(buffer, 0, read);
                        done += read;
                        operation.progress(done, -1, "bytes");
                    }
                }
            });
            if (ImageArchive.form(plain) != ImageArchive.Form.TAR) {
                throw HydraException.failed("`" + source
                        + "` is compressed and no archive of container images; decompress a disk with `gunzip` first");
            }
            return importArchive(operation, name, plain, source);
        } finally {
            Files.deleteIfExists(plain);
        }
    }

    private List<String> importArchive(Operation operation, @Nullable String name, Path file, String source)
            throws IOException {
        try (var archive = operation.stage("reading archive", () -> new ImageArchive(file, source))) {
            var images = archive.images();
            if (name != null
                    && images.stream().map(ImageArchive.Entry::root).distinct().count() > 1) {
                throw HydraException.usage(
                        "`" + source + "` holds several images; leave NAME out, they bring their own");
            }
            var references = new ArrayList<Reference>();
            for (var image : name == null ? images : images.subList(0, 1)) {
                var called = name == null ? image.name() : name;
                if (called == null) {
                    throw HydraException.usage(
                            "`" + source
                                    + "` does not say what its image is called; give it a name: `hydra image import NAME FILE`");
                }
                references.add(Reference.parse(called));
            }
            var names = new ArrayList<String>();
            for (int i = 0; i < references.size(); i++) {
                var reference = references.get(i);
                oci.add(operation, reference, images.get(i).root(), archive);
                names.add(reference.familiar());
            }
            return names;
        }
    }

    private Optional<OciImage> container(String name) {
        Reference reference;
        try {
            reference = Reference.parse(name);
        } catch (HydraException e) {
            return Optional.empty();
        }
        return store.installed() ? oci.find(reference) : Optional.empty();
    }

    private List<Entry> containers(List<InstanceRow> rows) {
        var used = store.used();
        return oci.list().stream().map(image -> entry(image, rows, used)).toList();
    }

    private static Entry entry(Image image, List<InstanceRow> rows) {
        return new Entry(
                image.name(),
                Kind.VM,
                image.format(),
                image.sha256(),
                image.size(),
                image.virtualSize(),
                image.source(),
                image.imported(),
                rows.stream()
                        .filter(row -> row.kind().equals(Kind.VM.name())
                                && image.name().equals(imageOf(row)))
                        .map(InstanceRow::name)
                        .toList());
    }

    private static Entry entry(OciImage image, List<InstanceRow> rows, Set<String> used) {
        var users = new ArrayList<String>();
        for (var row : rows) {
            if (row.kind().equals(Kind.CONTAINER.name()) && image.name().equals(fullName(imageOf(row)))) {
                users.add(row.name());
            }
        }
        if (users.isEmpty() && used.contains(image.name())) {
            users.add("a container that is not hydra's");
        }
        return new Entry(
                image.familiar(),
                Kind.CONTAINER,
                "oci",
                image.digest().substring("sha256:".length()),
                image.size(),
                null,
                image.name(),
                image.pulled(),
                List.copyOf(users));
    }

    private static String imageOf(InstanceRow row) {
        return JSON.readTree(row.spec()).path("image").asString("");
    }

    private static String fullName(String ref) {
        try {
            return Reference.parse(ref).name();
        } catch (HydraException e) {
            return ref;
        }
    }
}
