package dev.hydravisor.container.images;

import com.google.protobuf.FieldMask;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.ContentGrpc;
import dev.hydravisor.container.containerd.api.ContentProto;
import dev.hydravisor.container.containerd.api.DiffGrpc;
import dev.hydravisor.container.containerd.api.DiffProto;
import dev.hydravisor.container.containerd.api.ImagesGrpc;
import dev.hydravisor.container.containerd.api.ImagesProto;
import dev.hydravisor.container.containerd.api.SnapshotsGrpc;
import dev.hydravisor.container.containerd.api.SnapshotsProto;
import dev.hydravisor.image.BlobSource;
import dev.hydravisor.image.Descriptor;
import dev.hydravisor.image.OciStore;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.function.LongConsumer;

/** An image on its way into containerd, all of it held by one lease. */
final class ContainerdIngest implements OciStore.Ingest {
    private static final Duration UNPACK_LIMIT = Duration.ofHours(1);
    private static final int OVERTAKEN = 4;

    private final Containerd.Lease lease;
    private final String snapshotter;
    private volatile boolean named;

    ContainerdIngest(Containerd.Lease lease, String snapshotter) {
        this.lease = lease;
        this.snapshotter = snapshotter;
    }

    @Override
    public void write(Descriptor blob, Map<String, String> labels, BlobSource source, LongConsumer progress)
            throws IOException, InterruptedException {
        for (int tries = 0; tries < OVERTAKEN; tries++) {
            try (var write = new ContentWrite(lease, blob, labels)) {
                if (write.isThere()) {
                    progress.accept(blob.size());
                    if (!labels.isEmpty()) {
                        label(blob, labels);
                    }
                    return;
                }
                if (write.all(source, progress)) {
                    return;
                }
            }
        }
        throw HydraException.failed("`" + blob.shortDigest() + "` comes and goes in containerd; try again");
    }

    @Override
    public void unpack(Descriptor layer, String parent, String diffId, String chain) {
        var key = "extract-" + UUID.randomUUID() + " " + chain;
        SnapshotsProto.PrepareSnapshotResponse prepared;
        try {
            prepared = lease.call(
                    SnapshotsGrpc::newBlockingStub,
                    s -> s.prepare(SnapshotsProto.PrepareSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(key)
                            .setParent(parent)
                            // With it, a chain that is there is no longer collected while the lease lasts.
                            .putLabels("containerd.io/snapshot.ref", chain)
                            .build()));
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.CONFLICT) {
                return;
            }
            throw e;
        }
        var committed = false;
        try {
            var applied = lease.call(
                            DiffGrpc::newBlockingStub,
                            UNPACK_LIMIT,
                            s -> s.apply(DiffProto.ApplyRequest.newBuilder()
                                    .setDiff(ContainerdImages.descriptor(layer))
                                    .addAllMounts(prepared.getMountsList())
                                    .build()))
                    .getApplied()
                    .getDigest();
            if (!applied.equals(diffId)) {
                throw HydraException.failed(
                        "layer `" + layer.shortDigest()
                                + "` is not what the image's configuration says; it may be damaged or forged: do not use this image");
            }
            committed = commit(key, chain);
        } finally {
            if (!committed) {
                discard(key);
            }
        }
    }

    /** Whether the snapshot got its final name; false when another has it already, who unpacked the same meanwhile. */
    private boolean commit(String key, String chain) {
        try {
            lease.call(
                    SnapshotsGrpc::newBlockingStub,
                    s -> s.commit(SnapshotsProto.CommitSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setName(chain)
                            .setKey(key)
                            .build()));
            return true;
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.CONFLICT) {
                return false;
            }
            throw e;
        }
    }

    private void discard(String key) {
        Undo.quietly(() -> lease.find(
                SnapshotsGrpc::newBlockingStub,
                s -> s.remove(SnapshotsProto.RemoveSnapshotRequest.newBuilder()
                        .setSnapshotter(snapshotter)
                        .setKey(key)
                        .build())));
    }

    @Override
    public Change diff(String snapshot) {
        var parent = lease.call(
                        SnapshotsGrpc::newBlockingStub,
                        s -> s.stat(SnapshotsProto.StatSnapshotRequest.newBuilder()
                                .setSnapshotter(snapshotter)
                                .setKey(snapshot)
                                .build()))
                .getInfo()
                .getParent();
        var key = "diff-" + UUID.randomUUID() + " " + parent;
        var below = lease.call(
                SnapshotsGrpc::newBlockingStub,
                s -> s.view(SnapshotsProto.ViewSnapshotRequest.newBuilder()
                        .setSnapshotter(snapshotter)
                        .setKey(key)
                        .setParent(parent)
                        .build()));
        try {
            var own = lease.call(
                    SnapshotsGrpc::newBlockingStub,
                    s -> s.mounts(SnapshotsProto.MountsRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(snapshot)
                            .build()));
            var layer = lease.call(
                            DiffGrpc::newBlockingStub,
                            UNPACK_LIMIT,
                            s -> s.diff(DiffProto.DiffRequest.newBuilder()
                                    .addAllLeft(below.getMountsList())
                                    .addAllRight(own.getMountsList())
                                    .setMediaType("application/vnd.oci.image.layer.v1.tar+gzip")
                                    .setRef(key)
                                    .build()))
                    .getDiff();
            var diffId = lease.call(
                            ContentGrpc::newBlockingStub,
                            s -> s.info(ContentProto.InfoRequest.newBuilder()
                                    .setDigest(layer.getDigest())
                                    .build()))
                    .getInfo()
                    .getLabelsOrDefault("containerd.io/uncompressed", "");
            return new Change(new Descriptor(layer.getMediaType(), layer.getDigest(), layer.getSize()), diffId);
        } finally {
            discard(key);
        }
    }

    @Override
    public String snapshotLabel() {
        return "containerd.io/gc.ref.snapshot." + snapshotter;
    }

    @Override
    public OciStore.Named name(String name, Descriptor target) {
        var image = ImagesProto.Image.newBuilder()
                .setName(name)
                .setTarget(ContainerdImages.descriptor(target))
                .build();
        ImagesProto.Image made;
        try {
            made = lease.call(
                            ImagesGrpc::newBlockingStub,
                            s -> s.create(ImagesProto.CreateImageRequest.newBuilder()
                                    .setImage(image)
                                    .build()))
                    .getImage();
        } catch (HydraException e) {
            if (e.exitCode() != ExitCode.CONFLICT) {
                throw e;
            }
            made = lease.call(
                            ImagesGrpc::newBlockingStub,
                            s -> s.update(ImagesProto.UpdateImageRequest.newBuilder()
                                    .setImage(image)
                                    .setUpdateMask(FieldMask.newBuilder().addPaths("target"))
                                    .build()))
                    .getImage();
        }
        named = true;
        return ContainerdImages.named(made);
    }

    @Override
    public void close() {
        if (named) {
            lease.close();
        } else {
            lease.discard();
        }
    }

    private void label(Descriptor blob, Map<String, String> labels) {
        var mask = FieldMask.newBuilder();
        labels.keySet().forEach(name -> mask.addPaths("labels." + name));
        lease.call(
                ContentGrpc::newBlockingStub,
                s -> s.update(ContentProto.UpdateRequest.newBuilder()
                        .setInfo(ContentProto.Info.newBuilder()
                                .setDigest(blob.digest())
                                .putAllLabels(labels))
                        .setUpdateMask(mask)
                        .build()));
    }
}
