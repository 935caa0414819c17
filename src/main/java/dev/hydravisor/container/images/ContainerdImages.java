package dev.hydravisor.container.images;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.hydravisor.container.ContainerProperties;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.ContainersGrpc;
import dev.hydravisor.container.containerd.api.ContainersProto;
import dev.hydravisor.container.containerd.api.ContentGrpc;
import dev.hydravisor.container.containerd.api.ContentProto;
import dev.hydravisor.container.containerd.api.ImagesGrpc;
import dev.hydravisor.container.containerd.api.ImagesProto;
import dev.hydravisor.container.containerd.api.SnapshotsGrpc;
import dev.hydravisor.container.containerd.api.SnapshotsProto;
import dev.hydravisor.container.containerd.api.TypesProto;
import dev.hydravisor.image.BlobSource;
import dev.hydravisor.image.Descriptor;
import dev.hydravisor.image.OciStore;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.springframework.stereotype.Component;

/** Images as containerd keeps them: blobs in its content store, root file systems as snapshots, names in its image store. */
@Component
public class ContainerdImages implements OciStore {
    private static final Duration COLLECT_LIMIT = Duration.ofMinutes(2);

    private final Containerd containerd;
    private final String snapshotter;

    public ContainerdImages(Containerd containerd, ContainerProperties properties) {
        this.containerd = containerd;
        this.snapshotter = properties.snapshotter();
    }

    @Override
    public boolean installed() {
        return Files.exists(Path.of(containerd.address()));
    }

    @Override
    public Optional<Named> find(String name) {
        var found = containerd.find(
                ImagesGrpc::newBlockingStub,
                s -> s.get(
                        ImagesProto.GetImageRequest.newBuilder().setName(name).build()));
        return found == null ? Optional.empty() : Optional.of(named(found.getImage()));
    }

    @Override
    public List<Named> list() {
        return containerd
                .call(ImagesGrpc::newBlockingStub, s -> s.list(ImagesProto.ListImagesRequest.getDefaultInstance()))
                .getImagesList()
                .stream()
                .map(ContainerdImages::named)
                .toList();
    }

    @Override
    public Optional<byte[]> read(String digest) {
        var content = containerd.find(ContentGrpc::newBlockingStub, s -> {
            var whole = ByteString.empty();
            var pieces = s.read(ContentProto.ReadContentRequest.newBuilder()
                    .setDigest(digest)
                    .build());
            while (pieces.hasNext()) {
                whole = whole.concat(pieces.next().getData());
                if (whole.size() > BlobSource.SMALL) {
                    // The rest is left unread: the call must not go on without a reader.
                    throw HydraException.failed("`" + digest + "` is too large for a description; use another image");
                }
            }
            return whole;
        });
        return Optional.ofNullable(content).map(ByteString::toByteArray);
    }

    @Override
    public boolean unpacked(String chain) {
        return containerd.find(
                        SnapshotsGrpc::newBlockingStub,
                        s -> s.stat(SnapshotsProto.StatSnapshotRequest.newBuilder()
                                .setSnapshotter(snapshotter)
                                .setKey(chain)
                                .build()))
                != null;
    }

    @Override
    public Set<String> used() {
        return containerd
                .call(
                        ContainersGrpc::newBlockingStub,
                        s -> s.list(ContainersProto.ListContainersRequest.getDefaultInstance()))
                .getContainersList()
                .stream()
                .map(ContainersProto.Container::getImage)
                .collect(Collectors.toSet());
    }

    @Override
    public void delete(String name) {
        try {
            containerd.call(
                    ImagesGrpc::newBlockingStub,
                    COLLECT_LIMIT,
                    s -> s.delete(ImagesProto.DeleteImageRequest.newBuilder()
                            .setName(name)
                            .setSync(true)
                            .build()));
        } catch (HydraException e) {
            if (e.exitCode() != ExitCode.NOT_FOUND) {
                throw e;
            }
        }
    }

    @Override
    public Ingest begin() {
        return new ContainerdIngest(containerd.lease(), snapshotter);
    }

    static Named named(ImagesProto.Image image) {
        var target = image.getTarget();
        return new Named(
                image.getName(),
                new Descriptor(target.getMediaType(), target.getDigest(), target.getSize()),
                instant(image.getUpdatedAt()));
    }

    static TypesProto.Descriptor descriptor(Descriptor blob) {
        return TypesProto.Descriptor.newBuilder()
                .setMediaType(blob.mediaType())
                .setDigest(blob.digest())
                .setSize(blob.size())
                .build();
    }

    private static Instant instant(Timestamp timestamp) {
        return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
    }
}
