package dev.hydravisor.image;

import static dev.hydravisor.host.PlainText.safe;
import static dev.hydravisor.host.PlainText.shorten;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.inventory.ImageRow;
import dev.hydravisor.inventory.Images;
import dev.hydravisor.inventory.InstanceRow;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;
import tools.jackson.databind.json.JsonMapper;

/** The images instances start from: checked when they come in, kept where the hypervisor reads them, listed in the inventory. */
@Service
public class ImageService {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,127}");
    private static final Pattern SHA256 = Pattern.compile("[0-9a-fA-F]{64}");
    private static final Duration CONVERT_LIMIT = Duration.ofHours(1);
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Images images;
    private final Instances instances;
    private final DiskStore disks;
    private final HydraHome home;
    private final Catalog catalog;
    private final Map<String, ReentrantLock> locks = new ConcurrentHashMap<>();

    public ImageService(Images images, Instances instances, DiskStore disks, HydraHome home) {
        this.images = images;
        this.instances = instances;
        this.disks = disks;
        this.home = home;
        this.catalog = new Catalog(home);
    }

    /**
     * Imports a disk image. The same content under the same name again is success.
     *
     * @param source an absolute path or an http(s) URL
     * @param sha256 what the file's digest must be, in hex; null to take what comes
     * @throws HydraException CONFLICT when the name is taken by another content; FAILED when it is no image that may be used
     */
    public Image importDisk(Operation operation, String name, String source, @Nullable String sha256) {
        requireName(name);
        if (sha256 != null && !SHA256.matcher(sha256).matches()) {
            throw HydraException.usage("`" + shorten(sha256) + "` is no SHA-256; give its 64 hex digits");
        }
        var wanted = sha256 == null ? null : sha256.toLowerCase(Locale.ROOT);
        return locked(name, () -> importLocked(operation, name, source, wanted, null));
    }

    /**
     * The image a user means: an imported one by its name; else one of the catalog, else a path or URL, which are imported.
     *
     * @param ref a name, an absolute path, or an http(s) URL
     * @return the image; its name is what an instance's spec should say
     * @throws HydraException NOT_FOUND when it is none of these
     */
    public Image resolve(Operation operation, String ref) {
        var known = find(ref).orElse(null);
        if (known != null) {
            if (disks.exists(known.volume())) {
                return known;
            }
            operation.notice("the disk of image `" + ref + "` is gone from the storage pool; it is imported again");
            return importDisk(operation, ref, known.source(), known.sha256());
        }
        var entry = catalog.entries().get(ref);
        if (entry != null) {
            requireName(ref);
            return locked(
                    ref, () -> importLocked(operation, ref, entry.url(), entry.sha256(), checksumOf(operation, entry)));
        }
        if (isUrl(ref) || (ref.startsWith("/") && Files.exists(Path.of(ref)))) {
            return importUnderItsOwnName(operation, ref, null);
        }
        throw HydraException.notFound("image `" + shorten(ref)
                + "` does not exist; see `hydra image list`, or import one with `hydra image import NAME FILE`");
    }

    /** All imported images by name. */
    public List<Image> list() {
        return images.findAllByOrderByName().stream().map(ImageService::image).toList();
    }

    public Optional<Image> find(String name) {
        return images.findById(name).map(ImageService::image);
    }

    /** Names of the catalog that are not imported yet. */
    public List<String> available() {
        return catalog.entries().keySet().stream()
                .filter(name -> find(name).isEmpty())
                .toList();
    }

    /**
     * Removes an image.
     *
     * @throws HydraException NOT_FOUND when there is none; CONFLICT while an instance's disk is based on it
     */
    public void delete(String name) {
        var image = require(name);
        this.<@Nullable Void>locked(name, () -> {
            var users = instances.findAllByOrderByName().stream()
                    .filter(i -> i.kind().equals("VM")
                            && name.equals(JSON.readTree(i.spec()).path("image").asString(null)))
                    .map(InstanceRow::name)
                    .toList();
            if (!users.isEmpty()) {
                throw HydraException.conflict("image `" + name + "` is the base of `" + String.join("`, `", users)
                        + "`; delete " + (users.size() == 1 ? "that" : "those") + " first");
            }
            disks.remove(image.volume());
            images.deleteById(name);
            return null;
        });
    }

    /** As {@link #find}; NOT_FOUND when there is none. */
    public Image require(String name) {
        return find(name)
                .orElseThrow(() -> HydraException.notFound(
                        "image `" + shorten(name) + "` does not exist; see `hydra image list`"));
    }

    /** A digest the publisher gives, of whatever kind. */
    private record Checksum(String algorithm, String hex) {}

    private Image importLocked(
            Operation operation, String name, String source, @Nullable String sha256, @Nullable Checksum checksum) {
        return operation.call(() -> {
            if (!isUrl(source)) {
                var path = Path.of(source);
                if (!path.isAbsolute()) {
                    throw HydraException.usage("`" + shorten(source) + "` is no absolute path and no http(s) URL");
                }
                return importFile(operation, name, path, source, sha256, checksum);
            }
            var known = find(name).orElse(null);
            if (known != null && known.sha256().equals(sha256) && disks.exists(known.volume())) {
                return known;
            }
            var download = new Download(uri(source), home.images());
            var file = operation.stage("downloading", () -> download.fetch(operation));
            try {
                return importFile(operation, name, file, source, sha256, checksum);
            } finally {
                download.discard();
            }
        });
    }

    private Image importFile(
            Operation operation,
            String name,
            Path file,
            String source,
            @Nullable String sha256,
            @Nullable Checksum checksum)
            throws IOException {
        record Checked(DiskFile disk, String digest, long size) {}
        var checked = operation.stage("checking", () -> {
            if (checksum != null
                    && !DiskFile.digest(operation, file, safe(source), checksum.algorithm())
                            .equals(checksum.hex())) {
                throw wrongDigest(source);
            }
            var disk = DiskFile.inspect(file, safe(source));
            var digest = DiskFile.sha256(operation, file, safe(source));
            if (sha256 != null && !sha256.toLowerCase(Locale.ROOT).equals(digest)) {
                throw wrongDigest(source);
            }
            return new Checked(disk, digest, Files.size(file));
        });
        var known = find(name).orElse(null);
        if (known != null && !known.sha256().equals(checked.digest())) {
            throw HydraException.conflict(
                    "image `" + name + "` exists with another content (from `" + safe(known.source())
                            + "`); choose another name, or delete it first with `hydra image delete " + name + "`");
        }
        var image = new Image(
                name,
                checked.disk().format(),
                checked.digest(),
                checked.size(),
                checked.disk().virtualSize(),
                source,
                known == null ? Instant.now().truncatedTo(ChronoUnit.MILLIS) : known.imported());
        if (known != null && disks.exists(known.volume())) {
            return known;
        }
        if (image.format().equals("raw")) {
            putRaw(operation, image, file);
        } else {
            operation.stage("importing", () -> put(operation, image, file, image.sha256()));
        }
        images.save(new ImageRow(
                name, image.format(), image.sha256(), image.size(), image.virtualSize(), source, image.imported()));
        return image;
    }

    private void putRaw(Operation operation, Image image, Path file) throws IOException {
        var converted = Files.createTempFile(home.images(), "convert-", ".qcow2");
        try {
            operation.stage("converting", () -> {
                Processes.require(
                        CONVERT_LIMIT,
                        List.of(
                                "qemu-img",
                                "convert",
                                "-f",
                                "raw",
                                "-O",
                                "qcow2",
                                "-o",
                                "compat=1.1",
                                file.toString(),
                                converted.toString()));
            });
            operation.stage("importing", () -> put(operation, image, converted, null));
        } finally {
            Files.deleteIfExists(converted);
        }
    }

    /** Copies a file in; when {@code sha256} is given, what was copied must be what was checked. */
    private void put(Operation operation, Image image, Path file, @Nullable String sha256) throws IOException {
        try (var content =
                new DigestInputStream(DiskFile.open(file, safe(image.source())), DiskFile.newDigest("SHA-256"))) {
            disks.put(operation, image.volume(), content, Files.size(file));
            if (sha256 != null
                    && !HexFormat.of()
                            .formatHex(content.getMessageDigest().digest())
                            .equals(sha256)) {
                disks.remove(image.volume());
                throw HydraException.failed("`" + safe(image.source())
                        + "` changed while it was read; import it again when nobody writes to it");
            }
        }
    }

    /** Imports a disk under the name of its file, or, where that is taken, with a part of its digest after it. */
    Image importUnderItsOwnName(Operation operation, String source, @Nullable String sha256) {
        var path = isUrl(source) ? String.valueOf(uri(source).getPath()) : source;
        var file = path.substring(path.lastIndexOf('/') + 1).replaceFirst("\\.(qcow2|img|raw)$", "");
        var stem = file.replaceAll("[^A-Za-z0-9._+-]", "-").replaceFirst("^[^A-Za-z0-9]+", "");
        var name = stem.isEmpty() ? "image" : stem.substring(0, Math.min(stem.length(), 100));
        try {
            return importDisk(operation, name, source, sha256);
        } catch (HydraException e) {
            if (e.exitCode() != dev.hydravisor.operation.ExitCode.CONFLICT || isUrl(source)) {
                throw e;
            }
            var digest = DiskFile.sha256(operation, Path.of(source), safe(source));
            return importDisk(operation, name + "-" + digest.substring(0, 8), source, digest);
        }
    }

    private static @Nullable Checksum checksumOf(Operation operation, Catalog.Entry entry) {
        var list = entry.checksums();
        if (list == null) {
            return null;
        }
        var file = entry.url().substring(entry.url().lastIndexOf('/') + 1);
        return operation.stage(
                "looking up its checksum",
                () -> checksum(Download.text(uri(list)), file)
                        .orElseThrow(() -> HydraException.failed(
                                "`" + list + "` has no checksum of `" + file + "`; correct the catalog's entry")));
    }

    /** Finds a file's line in a list as sha256sum and sha512sum write it. */
    private static Optional<Checksum> checksum(String list, String file) {
        return list.lines()
                .map(line -> line.strip().split("\\s+\\*?", 2))
                .filter(parts -> parts.length == 2 && parts[1].equals(file))
                .map(parts -> parts[0].toLowerCase(Locale.ROOT))
                .filter(hex -> hex.matches("[0-9a-f]{64}|[0-9a-f]{128}"))
                .map(hex -> new Checksum(hex.length() == 64 ? "SHA-256" : "SHA-512", hex))
                .findFirst();
    }

    static HydraException wrongDigest(String source) {
        return HydraException.failed("`" + source
                + "` is not what its checksum says; it may be damaged or forged: do not use it, get it anew");
    }

    private static boolean isUrl(String source) {
        return source.startsWith("https://") || source.startsWith("http://");
    }

    private static URI uri(String url) {
        try {
            var uri = new URI(url);
            if (uri.getHost() != null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // said below
        }
        throw HydraException.usage("`" + shorten(url) + "` is no URL; check the address");
    }

    private static void requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw HydraException.usage(
                    "`" + name
                            + "` is no name for an image; use up to 128 letters, digits, `.`, `_`, `+` and `-`, a letter or digit first");
        }
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

    private static Image image(ImageRow row) {
        return new Image(
                row.name(), row.format(), row.sha256(), row.size(), row.virtualSize(), row.source(), row.imported());
    }
}
