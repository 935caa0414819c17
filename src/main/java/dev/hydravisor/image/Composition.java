package dev.hydravisor.image;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a container image is made of, as its descriptions say it, each verified by its digest: from the index or manifest the name
 * stands for, through the manifest for this host's platform, to the configuration.
 *
 * @param descriptions indexes and manifest, from the root on
 * @param chosen for each index among them, which of its entries was taken
 * @param layers lowest first
 * @param diffIds digests of the layers uncompressed
 */
record Composition(
        List<Piece> descriptions,
        List<Integer> chosen,
        Piece configuration,
        List<Descriptor> layers,
        List<String> diffIds,
        String platform,
        OciImage.Config config) {

    /** A small blob and its content. */
    record Piece(Descriptor descriptor, byte[] content) {}

    private static final Set<String> INDEXES = Set.of(
            "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json");
    private static final Set<String> MANIFESTS = Set.of(
            "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json");
    private static final Set<String> CONFIGS =
            Set.of("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json");
    private static final Set<String> LAYERS = Set.of(
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.docker.image.rootfs.diff.tar.zstd");
    private static final String OLD_MANIFEST = "application/vnd.docker.distribution.manifest.v1+";
    private static final String OS = "linux";
    private static final String ARCHITECTURE =
            switch (System.getProperty("os.arch")) {
                case "amd64", "x86_64" -> "amd64";
                case "aarch64" -> "arm64";
                case "i386", "i686", "x86" -> "386";
                default -> System.getProperty("os.arch");
            };
    private static final int DEEPEST = 4;
    private static final JsonMapper JSON = JsonMapper.shared();

    /** The platform of this host. */
    static String hostPlatform() {
        return OS + "/" + ARCHITECTURE;
    }

    /** Whether a description names this host's platform, or none. */
    static boolean isForHost(JsonNode platform) {
        return platform.isMissingNode()
                || (platform.path("os").asString("").equals(OS)
                        && platform.path("architecture").asString("").equals(ARCHITECTURE));
    }

    static boolean isDescription(String mediaType) {
        return INDEXES.contains(mediaType) || MANIFESTS.contains(mediaType);
    }

    /**
     * Reads it all.
     *
     * @param shown how the user named it
     * @throws HydraException FAILED when something is not what its digest says, or is no container image for this host
     */
    static Composition read(Descriptor root, BlobSource source, String shown) throws IOException, InterruptedException {
        var descriptions = new ArrayList<Piece>();
        var chosen = new ArrayList<Integer>();
        var current = root;
        while (descriptions.size() < DEEPEST) {
            var piece = verified(current, source, shown);
            descriptions.add(piece);
            var json = parse(piece, shown);
            // One that is both could mean one thing here and another elsewhere.
            if (json.has("manifests") && (json.has("layers") || json.has("config"))) {
                throw refused(shown, "its description is ambiguous (an index and a manifest at once)");
            }
            if (!json.has("manifests")) {
                return ofManifest(descriptions, chosen, json, source, shown);
            }
            var at = choose(json.path("manifests"), shown);
            chosen.add(at);
            current = descriptor(json.path("manifests").path(at));
        }
        throw refused(shown, "its indexes are nested too deeply");
    }

    /** The manifest, by its descriptor, of the same with one more layer; it and its configuration are put into {@code blobs} by digest. */
    Descriptor with(OciStore.Ingest.Change change, Map<String, byte[]> blobs) {
        var now = java.time.Instant.now().toString();
        var config = (ObjectNode) JSON.readTree(configuration.content());
        config.put("created", now);
        config.withObject("rootfs").withArray("diff_ids").add(change.diffId());
        config.withArray("history").addObject().put("created", now).put("created_by", "hydra container commit");
        var configuration =
                new Descriptor("application/vnd.oci.image.config.v1+json", put(config, blobs), length(config));
        var manifest = JSON.createObjectNode()
                .put("schemaVersion", 2)
                .put("mediaType", "application/vnd.oci.image.manifest.v1+json");
        manifest.set("config", json(configuration));
        var all = manifest.putArray("layers");
        layers.forEach(layer -> all.add(json(layer)));
        all.add(json(change.layer()));
        return new Descriptor("application/vnd.oci.image.manifest.v1+json", put(manifest, blobs), length(manifest));
    }

    private static String put(JsonNode json, Map<String, byte[]> blobs) {
        var content = JSON.writeValueAsBytes(json);
        var digest = digest(content);
        blobs.put(digest, content);
        return digest;
    }

    private static long length(JsonNode json) {
        return JSON.writeValueAsBytes(json).length;
    }

    private static JsonNode json(Descriptor descriptor) {
        return JSON.createObjectNode()
                .put("mediaType", descriptor.mediaType())
                .put("digest", descriptor.digest())
                .put("size", descriptor.size());
    }

    private static Composition ofManifest(
            List<Piece> descriptions, List<Integer> chosen, JsonNode manifest, BlobSource source, String shown)
            throws IOException, InterruptedException {
        var type = descriptions.getLast().descriptor().mediaType();
        if (type.startsWith(OLD_MANIFEST) || manifest.path("schemaVersion").asInt(2) == 1) {
            throw refused(
                    shown, "it is in Docker's old format (schema 1); have it pushed anew by a present-day Docker");
        }
        var configType = manifest.path("config").path("mediaType").asString("");
        if (!CONFIGS.contains(configType)) {
            throw refused(shown, "it holds something else (`" + PlainText.shorten(configType) + "`)");
        }
        var configuration = verified(descriptor(manifest.path("config")), source, shown);
        var json = parse(configuration, shown);
        var layers = new ArrayList<Descriptor>();
        for (var layer : manifest.path("layers")) {
            var descriptor = descriptor(layer);
            if (!LAYERS.contains(descriptor.mediaType())) {
                throw refused(
                        shown,
                        "a layer is of a kind that is not supported (`" + PlainText.shorten(descriptor.mediaType())
                                + "`)");
            }
            layers.add(descriptor);
        }
        var diffIds = strings(json.path("rootfs").path("diff_ids"));
        if (layers.isEmpty() || layers.size() != diffIds.size()) {
            throw refused(
                    shown, "it has " + layers.size() + " layers and its configuration speaks of " + diffIds.size());
        }
        // For the check alone: they become names of snapshots.
        diffIds.forEach(id -> new Descriptor("", id, 0));
        var platform =
                json.path("os").asString(OS) + "/" + json.path("architecture").asString(ARCHITECTURE);
        if (!platform.equals(hostPlatform())) {
            throw refused(shown, "it is for " + PlainText.shorten(platform) + ", this host is " + hostPlatform());
        }
        return new Composition(
                List.copyOf(descriptions),
                List.copyOf(chosen),
                configuration,
                List.copyOf(layers),
                diffIds,
                platform,
                config(json.path("config")));
    }

    private static int choose(JsonNode manifests, String shown) {
        var offered = new ArrayList<String>();
        for (int i = 0; i < manifests.size(); i++) {
            var platform = manifests.path(i).path("platform");
            if (isForHost(platform)
                    && isDescription(manifests.path(i).path("mediaType").asString(""))) {
                return i;
            }
            offered.add(platform.path("os").asString("?") + "/"
                    + platform.path("architecture").asString("?"));
        }
        offered.removeIf(p -> p.contains("unknown"));
        throw refused(
                shown,
                "there is none for " + hostPlatform() + ", only for " + PlainText.shorten(String.join(", ", offered)));
    }

    private static OciImage.Config config(JsonNode config) {
        var labels = new LinkedHashMap<String, String>();
        config.path("Labels")
                .propertyStream()
                .forEach(l -> labels.put(l.getKey(), l.getValue().asString("")));
        var signal = config.path("StopSignal").asString("");
        return new OciImage.Config(
                strings(config.path("Entrypoint")),
                strings(config.path("Cmd")),
                strings(config.path("Env")),
                config.path("User").asString(""),
                config.path("WorkingDir").asString(""),
                Map.copyOf(labels),
                List.copyOf(config.path("ExposedPorts").propertyNames()),
                List.copyOf(config.path("Volumes").propertyNames()),
                signal.isEmpty() ? null : signal);
    }

    Descriptor root() {
        return descriptions.getFirst().descriptor();
    }

    /** Bytes of the layers and the configuration as they are pulled. */
    long size() {
        return layers.stream().mapToLong(Descriptor::size).sum()
                + configuration.descriptor().size();
    }

    /** The chain of the first {@code count} layers, as the OCI image specification defines it. */
    String chain(int count) {
        var chain = diffIds.getFirst();
        for (int i = 1; i < count; i++) {
            chain = digest((chain + " " + diffIds.get(i)).getBytes(StandardCharsets.US_ASCII));
        }
        return chain;
    }

    static String digest(byte[] content) {
        return "sha256:"
                + HexFormat.of().formatHex(DiskFile.newDigest("SHA-256").digest(content));
    }

    /** @throws HydraException FAILED when the content is not what its digest says */
    static HydraException wrongDigest(Descriptor blob) {
        return HydraException.failed("`" + blob.shortDigest()
                + "` is not what its digest says; it may be damaged or forged: do not use this image");
    }

    private static Piece verified(Descriptor descriptor, BlobSource source, String shown)
            throws IOException, InterruptedException {
        var content = source.small(descriptor);
        if (content.length != descriptor.size() || !digest(content).equals(descriptor.digest())) {
            throw HydraException.failed("the description of `" + shown
                    + "` is not what its digest says; it may be damaged or forged: do not use this image");
        }
        return new Piece(descriptor, content);
    }

    private static JsonNode parse(Piece piece, String shown) {
        try {
            var json = JSON.readTree(piece.content());
            if (json.isObject()) {
                return json;
            }
        } catch (JacksonException e) {
            // said below
        }
        throw refused(shown, "its description cannot be read");
    }

    /** The descriptor of an index or manifest that comes without one; {@code said} is what its server calls it. */
    static Descriptor root(byte[] content, String said) {
        String own;
        boolean index;
        try {
            var json = JSON.readTree(content);
            own = json.path("mediaType").asString("");
            index = json.has("manifests");
        } catch (JacksonException e) {
            throw refused("it", "its description cannot be read");
        }
        var bare = said.replaceFirst(";.*$", "").strip();
        var type = isDescription(own)
                ? own
                : isDescription(bare) || bare.startsWith(OLD_MANIFEST)
                        ? bare
                        : "application/vnd.oci.image." + (index ? "index" : "manifest") + ".v1+json";
        return new Descriptor(type, digest(content), content.length);
    }

    static Descriptor descriptor(JsonNode json) {
        return new Descriptor(
                json.path("mediaType").asString(""),
                json.path("digest").asString(""),
                json.path("size").asLong(-1));
    }

    private static List<String> strings(JsonNode array) {
        return array.valueStream().map(n -> n.asString("")).toList();
    }

    private static HydraException refused(String shown, String why) {
        return HydraException.failed(
                "`" + shown + "` cannot be used as a container image: " + why + "; choose another image or tag");
    }
}
