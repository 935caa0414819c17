package dev.hydravisor.container;

import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.ContentGrpc;
import dev.hydravisor.container.containerd.api.ContentProto.ReadContentRequest;
import dev.hydravisor.container.containerd.api.ImagesGrpc;
import dev.hydravisor.container.containerd.api.ImagesProto.GetImageRequest;
import dev.hydravisor.container.containerd.api.SnapshotsGrpc;
import dev.hydravisor.container.containerd.api.SnapshotsProto.StatSnapshotRequest;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.OciImage;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The container images that are in containerd, however they came there. */
@Component
class ContainerImages implements OciImages {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MAX_DOCUMENT = 8 << 20;

    private final Containerd containerd;
    private final String snapshotter;

    ContainerImages(Containerd containerd, ContainerProperties properties) {
        this.containerd = containerd;
        this.snapshotter = properties.snapshotter();
    }

    @Override
    public OciImage resolve(Operation operation, String ref) {
        for (var name : names(ref)) {
            var image = find(name);
            if (image != null) {
                return image;
            }
        }
        throw HydraException.notFound("there is no container image `" + PlainText.shorten(ref)
                + "`; bring it in with `hydra image pull " + PlainText.shorten(ref) + "`");
    }

    /** The names that containerd may know a short name by. */
    static List<String> names(String ref) {
        var names = new ArrayList<String>(List.of(ref));
        var tagged =
                ref.contains("@") || ref.substring(ref.lastIndexOf('/') + 1).contains(":") ? ref : ref + ":latest";
        names.add(tagged);
        var slash = tagged.indexOf('/');
        var first = slash < 0 ? "" : tagged.substring(0, slash);
        if (!first.contains(".") && !first.contains(":") && !first.equals("localhost")) {
            names.add("docker.io/" + (slash < 0 ? "library/" : "") + tagged);
        }
        return names;
    }

    /**
     * The image of exactly this name; null when there is none.
     *
     * @throws HydraException NOT_FOUND when its layers are not unpacked or it is for other platforms
     */
    @Nullable
    OciImage find(String name) {
        var found = containerd.find(
                ImagesGrpc::newBlockingStub,
                s -> s.get(GetImageRequest.newBuilder().setName(name).build()));
        if (found == null) {
            return null;
        }
        var digest = found.getImage().getTarget().getDigest();
        var manifest = document(digest);
        if (manifest.has("manifests")) {
            digest = forThisHost(name, manifest);
            manifest = document(digest);
        }
        var image = document(manifest.path("config").path("digest").asString(""));
        var chain = chainId(texts(image.path("rootfs").path("diff_ids")));
        var unpacked = containerd.find(
                SnapshotsGrpc::newBlockingStub,
                s -> s.stat(StatSnapshotRequest.newBuilder()
                        .setSnapshotter(snapshotter)
                        .setKey(chain)
                        .build()));
        if (unpacked == null) {
            throw HydraException.notFound("image `" + name + "` is not unpacked for the snapshotter `" + snapshotter
                    + "`; bring it in again with `hydra image pull " + name + "`");
        }
        var config = image.path("config");
        var updated = found.getImage().getUpdatedAt();
        return new OciImage(
                name,
                found.getImage().getTarget().getDigest(),
                image.path("os").asString("linux") + "/"
                        + image.path("architecture").asString(""),
                manifest.path("config").path("size").asLong(0)
                        + manifest.path("layers").values().stream()
                                .mapToLong(l -> l.path("size").asLong(0))
                                .sum(),
                chain,
                Instant.ofEpochSecond(updated.getSeconds(), updated.getNanos()),
                new OciImage.Config(
                        texts(config.path("Entrypoint")),
                        texts(config.path("Cmd")),
                        texts(config.path("Env")),
                        config.path("User").asString(""),
                        config.path("WorkingDir").asString(""),
                        config.path("Labels")
                                .propertyStream()
                                .collect(Collectors.toMap(
                                        Map.Entry::getKey, e -> e.getValue().asString(""))),
                        List.copyOf(config.path("ExposedPorts").propertyNames()),
                        List.copyOf(config.path("Volumes").propertyNames()),
                        config.path("StopSignal").isString()
                                ? config.path("StopSignal").asString()
                                : null));
    }

    private static String forThisHost(String name, JsonNode index) {
        var architecture = System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64";
        for (var entry : index.path("manifests")) {
            var platform = entry.path("platform");
            if ("linux".equals(platform.path("os").asString("linux"))
                    && architecture.equals(platform.path("architecture").asString(architecture))) {
                return entry.path("digest").asString("");
            }
        }
        throw HydraException.notFound("image `" + name + "` has no variant for linux/" + architecture);
    }

    private JsonNode document(String digest) {
        byte[] document = containerd.call(ContentGrpc::newBlockingStub, s -> {
            var bytes = new ByteArrayOutputStream();
            var parts = s.read(ReadContentRequest.newBuilder().setDigest(digest).build());
            while (parts.hasNext()) {
                parts.next().getData().writeTo(bytes);
                if (bytes.size() > MAX_DOCUMENT) {
                    throw HydraException.failed("`" + digest + "` is too long for a manifest or configuration");
                }
            }
            return bytes.toByteArray();
        });
        return JSON.readTree(document);
    }

    /** The name of the snapshot that stands for all layers, the first one at the bottom. */
    static String chainId(List<String> diffIds) {
        String chain = "";
        for (var diffId : diffIds) {
            chain = chain.isEmpty() ? diffId : "sha256:" + sha256(chain + " " + diffId);
        }
        return chain;
    }

    static String sha256(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<String> texts(JsonNode array) {
        return array.values().stream().map(JsonNode::asString).toList();
    }
}
