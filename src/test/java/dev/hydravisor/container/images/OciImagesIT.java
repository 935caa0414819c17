package dev.hydravisor.container.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.container.ContainerProperties;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.env.TestRegistry;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.image.DiskStore;
import dev.hydravisor.image.ImageProperties;
import dev.hydravisor.image.ImageService;
import dev.hydravisor.image.OciImage;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.image.OciStore;
import dev.hydravisor.image.Reference;
import dev.hydravisor.inventory.Images;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.util.unit.DataSize;

@Timeout(120)
@ExtendWith(AsUser.class)
class OciImagesIT {
    private static TestContainerd daemon;
    private static String namespace;
    private static TestRegistry registry;
    private static Containerd containerd;

    @TempDir
    Path docker;

    private OciStore store;
    private OciImages images;

    @BeforeAll
    static void start() throws IOException {
        daemon = TestContainerd.shared();
        registry = TestRegistry.start(null);
        // One of its own, for other tests have images too.
        namespace = daemon.namespace() + "-images";
        containerd = new Containerd(daemon.address(), namespace);
    }

    @AfterAll
    static void stop() throws IOException {
        containerd.shutdown();
        registry.close();
    }

    @BeforeEach
    void connect() {
        store = new ContainerdImages(
                containerd,
                new ContainerProperties(null, null, "overlayfs", null, "10.88.0.0/16", DataSize.ofMegabytes(64)));
        images = new OciImages(
                store,
                new ImageProperties(
                        List.of(),
                        docker.toString(),
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(10)));
    }

    @AfterEach
    void nothingIsLeftOnceTheImagesAreGone() {
        store.list().forEach(named -> store.delete(named.name()));
        assertNothingIsThere();
    }

    private static void assertNothingIsThere() {
        assertThat(ctr("images", "ls", "-q")).isBlank();
        assertThat(ctr("content", "ls", "-q")).isBlank();
        assertThat(active()).isEmpty();
        assertThat(ctr("leases", "ls", "-q")).isBlank();
        assertThat(ctr("snapshots", "ls").lines().skip(1)).isEmpty();
    }

    private static String ctr(String... arguments) {
        var all = new ArrayList<>(List.of("-n", namespace));
        all.addAll(List.of(arguments));
        return daemon.ctr(all.toArray(String[]::new));
    }

    /** The blobs that are on their way in. */
    private static List<String> active() {
        return ctr("content", "active").lines().skip(1).toList();
    }

    private OciImage pull(String ref) {
        return images.pull(Operation.silent(), ref);
    }

    /** What a program in a container of that image prints. */
    private static String run(OciImage image, String... argv) {
        var all = new ArrayList<>(List.of("run", "--rm", image.name(), "test-" + System.nanoTime()));
        all.addAll(List.of(argv));
        return ctr(all.toArray(String[]::new));
    }

    @Test
    void anIndexIsPulledForThisPlatformAndCtrFindsItWholeAndRunsIt() {
        var image = pull(registry.address() + "/busybox:1");
        assertThat(image.platform()).isEqualTo("linux/amd64");
        assertThat(image.config().env()).contains("GREETING=hello");
        assertThat(image.config().cmd()).containsExactly("sh");
        assertThat(image.config().labels()).containsEntry("made", "by hand");
        assertThat(ctr("images", "check"))
                .contains(image.name())
                .contains("complete (3/3)")
                .contains("true");
        assertThat(run(image, "sh", "-c", "cat /etc/os-release; echo $GREETING"))
                .contains("NAME=hydra-test")
                .contains("hello");
        assertThat(images.find(Reference.parse(image.name()))).contains(image);
        assertThat(images.list()).containsExactly(image);
    }

    @Test
    void whatIsThereIsNotPulledAgain() {
        var first = pull(registry.address() + "/busybox:1");
        var stages = new ArrayList<String>();
        var listener = new Operation.Listener() {
            @Override
            public void started(String stage) {
                stages.add(stage);
            }

            @Override
            public void finished(String stage, Duration elapsed) {}
        };
        assertThat(images.pull(new Operation(listener), registry.address() + "/busybox:1"))
                .isEqualTo(first);
        assertThat(stages).containsExactly("looking up " + first.familiar());
        stages.clear();
        assertThat(images.resolve(new Operation(listener), registry.address() + "/busybox:1"))
                .isEqualTo(first);
        assertThat(stages).isEmpty();
    }

    @Test
    void aTagThatMovedIsPulledAnew() throws IOException {
        copy("busybox:docker", "busybox:moving");
        var before = pull(registry.address() + "/busybox:moving");
        copy("busybox:zstd", "busybox:moving");
        var after = pull(registry.address() + "/busybox:moving");
        assertThat(after.digest()).isNotEqualTo(before.digest());
        assertThat(images.list()).containsExactly(after);
        // The layers are the same once they are unpacked.
        assertThat(after.chain()).isEqualTo(before.chain());
    }

    private static void copy(String from, String to) throws IOException {
        var at = "docker://" + registry.address() + "/";
        TestRegistry.run(List.of(
                "skopeo",
                "--insecure-policy",
                "copy",
                "-q",
                "--all",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                at + from,
                at + to));
    }

    @Test
    void imagesAsDockerMakesThemRun() {
        assertThat(run(pull(registry.address() + "/busybox:docker"), "echo", "works"))
                .contains("works");
    }

    @Test
    void imagesCompressedWithZstdRun() {
        assertThat(run(pull(registry.address() + "/busybox:zstd"), "echo", "works"))
                .contains("works");
    }

    @Test
    void aDigestNamesAnImageToo() {
        var tagged = pull(registry.address() + "/busybox:1");
        var image = pull(registry.address() + "/busybox@" + tagged.digest());
        assertThat(image.digest()).isEqualTo(tagged.digest());
        assertThatThrownBy(() -> pull(registry.address() + "/busybox@sha256:" + "0".repeat(64)))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
    }

    @Test
    void aLayerThatIsNotWhatItsDigestSaysIsRefusedAndNothingIsLeft() throws Exception {
        var ref = registry.front() + "/wrong/busybox:docker";
        assertThatThrownBy(() -> pull(ref)).hasMessageContaining("is not what its digest says");
        assertNothingIsThere();
    }

    @Test
    void aRegistryThatDiesMidBlobAndComesBackIsPulledFromToTheEnd() throws Exception {
        assertThat(run(pull(registry.front() + "/broken/busybox:1"), "echo", "works"))
                .contains("works");
    }

    @Test
    void aRegistryThatDemandsATokenIsPulledFromWithDockersLogin() throws Exception {
        try (var closed = TestRegistry.start("hydra:secret", "--auth", "token")) {
            assertThatThrownBy(() -> pull(closed.address() + "/busybox:1")).hasMessageContaining("denies access");
            Files.writeString(
                    docker.resolve("config.json"),
                    "{\"auths\": {\"" + closed.address() + "\": {\"auth\": \"aHlkcmE6c2VjcmV0\"}}}");
            assertThat(pull(closed.address() + "/busybox:1").size()).isPositive();
        }
    }

    @Test
    void anInterruptedPullLeavesNothing() throws Exception {
        var ref = registry.front() + "/slow/busybox:1";
        var task = new FutureTask<>(() -> pull(ref));
        var thread = Thread.ofPlatform().start(task);
        // 1 MiB at 256 KiB a second: it is in the middle of a layer.
        while (active().isEmpty()) {
            Thread.sleep(50);
        }
        thread.interrupt();
        assertThatThrownBy(() -> task.get(20, TimeUnit.SECONDS))
                .rootCause()
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertNothingIsThere();
    }

    @Test
    void twoPullsOfTheSameAtOnceBothSucceed() throws Exception {
        var ref = registry.address() + "/busybox:1";
        var other = new FutureTask<>(() -> pull(registry.address() + "/busybox:docker"));
        var same = new FutureTask<>(() -> pull(ref));
        Thread.ofPlatform().start(other);
        Thread.ofPlatform().start(same);
        var image = pull(ref);
        assertThat(same.get()).isEqualTo(image);
        assertThat(other.get().chain()).isEqualTo(image.chain());
    }

    @Test
    void progressIsToldForEachLayer() {
        var seen = new ArrayList<List<Operation.Part>>();
        var listener = new Operation.Listener() {
            @Override
            public void started(String stage) {}

            @Override
            public void progress(String stage, List<Operation.Part> parts) {
                seen.add(parts);
            }

            @Override
            public void finished(String stage, Duration elapsed) {}
        };
        images.pull(new Operation(listener), registry.address() + "/busybox:1");
        assertThat(seen.getLast()).hasSize(2).allSatisfy(part -> {
            assertThat(part.phase()).isEqualTo("done");
            assertThat(part.done()).isEqualTo(part.total());
        });
    }

    private AllImages all() {
        var disks = new DiskStore() {
            @Override
            public void put(Operation operation, String name, InputStream content, long size) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void remove(String name) {}

            @Override
            public boolean exists(String name) {
                return false;
            }
        };
        var rows = new NoRows();
        var home = new HydraHome(docker.resolve("home"));
        return new AllImages(
                new ImageService(rows.as(Images.class), rows.as(Instances.class), disks, home),
                images,
                store,
                rows.as(Instances.class),
                home,
                Guards.in(home));
    }

    /** What skopeo writes of the registry's image. */
    private Path archive(String from, String to) throws IOException {
        var file = docker.resolve("archive.tar");
        TestRegistry.run(List.of(
                "skopeo",
                "--insecure-policy",
                "copy",
                "-q",
                "--src-tls-verify=false",
                "docker://" + registry.address() + "/" + from,
                to.formatted(file)));
        return file;
    }

    @Test
    void anOciArchiveIsImportedUnderTheNameItCarries() throws IOException {
        var file = archive("busybox:1", "oci-archive:%s:example.test/tools/busybox:7");
        assertThat(all().importFile(Operation.silent(), null, file.toString(), null))
                .containsExactly("example.test/tools/busybox:7");
        assertThat(run(
                        images.find(Reference.parse("example.test/tools/busybox:7"))
                                .orElseThrow(),
                        "echo",
                        "works"))
                .contains("works");
    }

    @Test
    void whatDockerSaveWritesIsImportedAlsoCompressedAndUnderAnotherName() throws IOException {
        var file = archive("busybox:docker", "docker-archive:%s:busybox:saved");
        assertThat(all().importFile(Operation.silent(), null, file.toString(), null))
                .containsExactly("busybox:saved");
        TestRegistry.run(List.of("gzip", file.toString()));
        assertThat(all().importFile(Operation.silent(), "mine:1", file + ".gz", null))
                .containsExactly("mine:1");
        assertThat(run(images.find(Reference.parse("mine:1")).orElseThrow(), "cat", "/etc/os-release"))
                .contains("hydra-test");
        assertThat(images.list()).hasSize(2);
    }

    @Test
    void anArchiveWithoutANameOrWithADamagedLayerIsRefusedAndNothingIsLeft() throws IOException {
        var nameless = archive("busybox:1", "oci-archive:%s");
        assertThatThrownBy(() -> all().importFile(Operation.silent(), null, nameless.toString(), null))
                .hasMessageContaining("give it a name");
        var bytes = Files.readAllBytes(nameless);
        // In the middle lies the big layer.
        bytes[bytes.length / 2] ^= 1;
        Files.write(nameless, bytes);
        assertThatThrownBy(() -> all().importFile(Operation.silent(), "x:1", nameless.toString(), null))
                .hasMessageContaining("is not what its digest says");
        assertNothingIsThere();
        Files.write(nameless, java.util.Arrays.copyOf(bytes, bytes.length / 2));
        assertThatThrownBy(() -> all().importFile(Operation.silent(), "x:1", nameless.toString(), null))
                .isInstanceOf(HydraException.class);
        assertNothingIsThere();
    }

    @Test
    void anUnusedImageIsPrunedAndOneThatAContainerUsesIsNeitherPrunedNorDeleted() {
        var used = pull(registry.address() + "/busybox:1");
        var unused = pull(registry.address() + "/busybox:docker");
        ctr("container", "create", used.name(), "holder");
        try {
            assertThat(all().unused(Operation.silent(), false))
                    .extracting(AllImages.Entry::name)
                    .containsExactly(unused.familiar());
            assertThatThrownBy(() -> all().delete(Operation.silent(), used.familiar()))
                    .hasMessageContaining("is used by");
            all().delete(Operation.silent(), unused.familiar());
            assertThat(all().list(Operation.silent()))
                    .extracting(AllImages.Entry::name)
                    .containsExactly(used.familiar());
        } finally {
            ctr("container", "rm", "holder");
        }
    }

    /** Repositories of an inventory without a row. */
    private static final class NoRows {
        <T> T as(Class<T> type) {
            return type.cast(java.lang.reflect.Proxy.newProxyInstance(
                    type.getClassLoader(),
                    new Class<?>[] {type},
                    (_, method, _) -> method.getReturnType() == java.util.Optional.class
                            ? java.util.Optional.empty()
                            : List.of()));
        }
    }
}
