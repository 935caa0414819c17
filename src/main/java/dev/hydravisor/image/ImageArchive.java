package dev.hydravisor.image;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarFile;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Container images in a tar file: an OCI layout, or what {@code docker save} writes. */
final class ImageArchive implements BlobSource, AutoCloseable {
    private static final int MAGIC_AT = 257;
    private static final int DEEPEST_LINK = 8;
    private static final JsonMapper JSON = JsonMapper.shared();

    /** One of its images. {@code name} is null when the archive does not say it. */
    record Entry(@Nullable String name, Descriptor root) {}

    /** How a file begins. */
    enum Form {
        TAR,
        GZIP,
        OTHER
    }

    private final Path file;
    private final String shown;
    private final Map<String, TarArchiveEntry> entries = new HashMap<>();
    /** Where each blob lies, and those that exist only here. */
    private final Map<String, TarArchiveEntry> blobs = new HashMap<>();

    private final Map<String, byte[]> made = new HashMap<>();
    private final List<Entry> images = new ArrayList<>();

    /**
     * Opens one and looks through it.
     *
     * @param shown how the user named it
     * @throws HydraException FAILED when it holds no container image
     */
    ImageArchive(Path file, String shown) throws IOException {
        this.file = file;
        this.shown = shown;
        try (var tar = new TarFile(file)) {
            for (var entry : tar.getEntries()) {
                entries.put(plain(entry.getName()), entry);
            }
        } catch (IOException | IllegalArgumentException e) {
            throw HydraException.failed(
                    "`" + shown + "` is a damaged archive (" + PlainText.shorten(String.valueOf(e.getMessage()))
                            + "); get a good copy",
                    e);
        }
        try {
            if (entries.containsKey("index.json") && entries.containsKey("oci-layout")) {
                readLayout();
            } else if (entries.containsKey("manifest.json")) {
                readDockerSave();
            } else {
                throw HydraException.failed(
                        "`" + shown + "` holds no container image: it has neither `index.json` nor `manifest.json`; "
                                + "make one with `docker save` or `skopeo copy … oci-archive:FILE`");
            }
        } catch (JacksonException e) {
            throw HydraException.failed("`" + shown + "` is a damaged archive: its list of images cannot be read", e);
        }
    }

    static Form form(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            var head = in.readNBytes(512);
            if (head.length > 2 && (head[0] & 0xff) == 0x1f && (head[1] & 0xff) == 0x8b) {
                return Form.GZIP;
            }
            return head.length == 512 && new String(head, MAGIC_AT, 5, StandardCharsets.US_ASCII).equals("ustar")
                    ? Form.TAR
                    : Form.OTHER;
        }
    }

    /** Its images that are for this host; at least one. */
    List<Entry> images() {
        if (images.isEmpty()) {
            throw HydraException.failed(
                    "`" + shown + "` holds no image for " + Composition.hostPlatform() + "; get one that does");
        }
        return List.copyOf(images);
    }

    @Override
    public InputStream open(Descriptor blob) throws IOException {
        var small = made.get(blob.digest());
        if (small != null) {
            return new ByteArrayInputStream(small);
        }
        var entry = blobs.get(blob.digest());
        if (entry == null) {
            entry = entries.get("blobs/" + blob.digest().replace(':', '/'));
        }
        if (entry == null) {
            throw HydraException.failed(
                    "`" + shown + "` lacks a part of its image (`" + blob.shortDigest() + "`); get a whole copy");
        }
        return content(entry);
    }

    @Override
    public void close() {
        // Each stream has the file open by itself.
    }

    private void readLayout() throws IOException {
        for (var manifest : json("index.json").path("manifests")) {
            var annotations = manifest.path("annotations");
            var name = annotations
                    .path("io.containerd.image.name")
                    .asString(annotations
                            .path("org.opencontainers.image.ref.name")
                            .asString(""));
            if (Composition.isForHost(manifest.path("platform"))) {
                // A tag alone does not name an image.
                images.add(new Entry(
                        name.contains(":") || name.contains("/") ? name : null, Composition.descriptor(manifest)));
            }
        }
    }

    /** docker save has no manifests in the registry's sense: they are made here, of the layers as they lie there. */
    private void readDockerSave() throws IOException {
        for (var image : json("manifest.json")) {
            var config = content(entry(image.path("Config").asString(""))).readNBytes(SMALL);
            var layers = new ArrayList<Map<String, Object>>();
            for (var layer : image.path("Layers")) {
                layers.add(layer(entry(layer.asString(""))));
            }
            var manifest = new LinkedHashMap<String, Object>();
            manifest.put("schemaVersion", 2);
            manifest.put("mediaType", "application/vnd.docker.distribution.manifest.v2+json");
            manifest.put(
                    "config",
                    descriptor(
                            "application/vnd.docker.container.image.v1+json",
                            Composition.digest(config),
                            config.length));
            manifest.put("layers", layers);
            var content = JSON.writeValueAsBytes(manifest);
            var root = Composition.root(content, "");
            made.put(Composition.digest(config), config);
            made.put(root.digest(), content);
            var names = image.path("RepoTags")
                    .valueStream()
                    .map(n -> n.asString(""))
                    .toList();
            names.forEach(name -> images.add(new Entry(name, root)));
            if (names.isEmpty()) {
                images.add(new Entry(null, root));
            }
        }
    }

    private Map<String, Object> layer(TarArchiveEntry entry) throws IOException {
        byte[] head;
        try (var in = content(entry)) {
            head = in.readNBytes(2);
        }
        var gzip = head.length == 2 && (head[0] & 0xff) == 0x1f && (head[1] & 0xff) == 0x8b;
        var digest = DiskFile.newDigest("SHA-256");
        try (var in = new DigestInputStream(content(entry), digest)) {
            in.transferTo(java.io.OutputStream.nullOutputStream());
        }
        var name = "sha256:" + HexFormat.of().formatHex(digest.digest());
        blobs.put(name, entry);
        return descriptor(
                "application/vnd.docker.image.rootfs.diff.tar" + (gzip ? ".gzip" : ""), name, entry.getSize());
    }

    private static Map<String, Object> descriptor(String mediaType, String digest, long size) {
        var descriptor = new LinkedHashMap<String, Object>();
        descriptor.put("mediaType", mediaType);
        descriptor.put("size", size);
        descriptor.put("digest", digest);
        return descriptor;
    }

    private JsonNode json(String name) throws IOException {
        try (var in = content(entry(name))) {
            return JSON.readTree(in.readNBytes(SMALL));
        }
    }

    /** The file of that name, or the one its link leads to: older Dockers store the same layer once and link to it. */
    private TarArchiveEntry entry(String name) {
        var at = plain(name);
        for (int i = 0; i < DEEPEST_LINK; i++) {
            var entry = entries.get(at);
            if (entry == null) {
                break;
            }
            if (entry.isSymbolicLink()) {
                var folder = Path.of("/" + at).getParent();
                at = plain((folder == null ? Path.of("/") : folder)
                        .resolve(entry.getLinkName())
                        .normalize()
                        .toString());
            } else if (entry.isLink()) {
                at = plain(entry.getLinkName());
            } else {
                return entry;
            }
        }
        throw HydraException.failed(
                "`" + shown + "` lacks its part `" + PlainText.shorten(name) + "`; get a whole copy");
    }

    private static String plain(String name) {
        return name.replaceFirst("^(\\./|/)+", "");
    }

    /** The bytes of an entry, which lie in one piece in the file. */
    private InputStream content(TarArchiveEntry entry) throws IOException {
        if (!entry.isFile()) {
            throw HydraException.failed(
                    "`" + shown + "` has no file where a part of its image should be; get a good copy");
        }
        var channel = FileChannel.open(file);
        channel.position(entry.getDataOffset());
        return new Part(channel, entry.getSize());
    }

    /** So many bytes of a file from where it stands. */
    private static final class Part extends InputStream {
        private final FileChannel channel;
        private final InputStream in;
        private long left;

        Part(FileChannel channel, long size) {
            this.channel = channel;
            this.in = java.nio.channels.Channels.newInputStream(channel);
            this.left = size;
        }

        @Override
        public int read() throws IOException {
            var one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            var read = in.read(buffer, offset, (int) Math.min(length, left));
            left -= Math.max(0, read);
            return read;
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
