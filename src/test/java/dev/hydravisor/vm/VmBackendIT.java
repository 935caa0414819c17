package dev.hydravisor.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.image.Image;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.vm.libvirt.DomainXml.Accelerator;
import dev.hydravisor.vm.libvirt.DomainXml.Link;
import dev.hydravisor.vm.libvirt.DomainXml.Machine;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The VM backend on a real libvirt with a real guest. */
@Timeout(180)
class VmBackendIT {
    private static final Duration BOOT = Duration.ofSeconds(90);

    @TempDir
    private Path temporary;

    private TestLibvirt libvirt;
    private HydraHome home;
    private Hypervisor hypervisor;
    private VmBackend backend;
    private Image image;
    private final List<Ref> made = new ArrayList<>();
    private String pool;

    @SuppressWarnings("NullAway.Init") // filled in by JUnit
    VmBackendIT() {}

    @BeforeEach
    void connect() throws IOException {
        libvirt = TestLibvirt.shared();
        home = new HydraHome(temporary.resolve("home"));
        pool = "hydra-" + UUID.randomUUID().toString().substring(0, 8);
        hypervisor = hypervisor(pool, libvirt.folder(pool));
        image = image("tiny", TestLibvirt.guest());
        backend = backend(hypervisor);
        new VmDisks(hypervisor)
                .put(
                        Operation.silent(),
                        image.volume(),
                        new ByteArrayInputStream(Files.readAllBytes(TestLibvirt.guest())),
                        Files.size(TestLibvirt.guest()));
    }

    @AfterEach
    void clean() {
        made.forEach(ref -> backend.delete(Operation.silent(), ref));
        new VmDisks(hypervisor).remove(image.volume());
        libvirt.virsh("pool-destroy", pool);
        libvirt.virsh("pool-undefine", pool);
    }

    @Test
    void aVmLivesFromCreateToDeleteAndLeavesNothing() throws IOException {
        var ref = ref("web");
        var spec = spec("hydra", null);
        var stages = new Stages();
        backend.create(new Operation(stages), ref, spec);
        assertThat(observed(ref).state()).isEqualTo(State.STOPPED);

        backend.start(new Operation(stages), ref, spec, BOOT);
        assertThat(stages.seen)
                .containsExactly("creating disk", "making seed", "defining", "booting", "waiting for address");
        assertThat(observed(ref).state()).isEqualTo(State.RUNNING);
        assertThat(observed(ref).address()).startsWith("192.168.122.");
        assertThat(inside(ref, spec, "hostname; whoami; sudo id -u")).containsExactly("web", "hydra", "0");

        backend.stop(Operation.silent(), ref, Duration.ofSeconds(60), false);
        assertThat(observed(ref).state()).isEqualTo(State.STOPPED);
        assertThat(observed(ref).address()).isNull();

        backend.start(Operation.silent(), ref, spec, BOOT);
        assertThat(inside(ref, spec, "echo again")).containsExactly("again");

        backend.delete(Operation.silent(), ref);
        backend.delete(Operation.silent(), ref);
        assertNothingIsLeftOf(ref);
    }

    @Test
    void creatingItTwiceIsSuccess() {
        var ref = ref("twice");
        backend.create(Operation.silent(), ref, spec("hydra", null));
        backend.create(Operation.silent(), ref, spec("hydra", null));
        assertThat(backend.observe()).containsKey(ref.id());
    }

    @Test
    void aNameThatAForeignDomainHasIsAConflictAndTheDomainStays() {
        libvirt.virsh("define", foreign().toString());
        try {
            var ref = ref("theirs");
            assertThatThrownBy(() -> backend.create(Operation.silent(), ref, spec("hydra", null)))
                    .isInstanceOfSatisfying(
                            HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CONFLICT));
            assertNothingIsLeftOf(ref);
            assertThat(libvirt.virsh("list", "--all", "--name")).contains("theirs");
            assertThat(backend.observe()).isEmpty();
        } finally {
            libvirt.virsh("undefine", "theirs");
        }
    }

    @Test
    void anUnknownImageIsNotFoundAndLeavesNothing() {
        var ref = ref("lost");
        var spec = new VmSpec("nothing", 1, 128, 0, "hydra", null, "default");
        assertThatThrownBy(() -> backend.create(Operation.silent(), ref, spec))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
        assertNothingIsLeftOf(ref);
    }

    @Test
    void aNameFullOfMarkupIsJustAName() {
        var ref = ref("a'\"<&;$(x) b");
        backend.create(Operation.silent(), ref, spec("hydra", null));
        assertThat(observed(ref).ref()).isEqualTo(ref);
        backend.delete(Operation.silent(), ref);
        assertNothingIsLeftOf(ref);
    }

    @Test
    void aFailedCreateLeavesNothing() {
        var ref = ref("broken");
        assertThatThrownBy(() -> Operation.silent().run(() -> {
                    var operation = Operation.silent();
                    operation.run(() -> {
                        backend.create(operation, ref, spec("hydra", null));
                        throw HydraException.failed("later");
                    });
                }))
                .hasMessage("later");
        assertNothingIsLeftOf(ref);
    }

    @Test
    void aFullPoolSaysSoAndLeavesNothing() throws IOException {
        var small = Files.createDirectories(temporary.resolve("small"));
        var name = pool + "-small";
        // libvirtd has a mount namespace of its own: the small file system must be mounted there.
        Processes.require(
                Duration.ofSeconds(5),
                List.of(
                        "nsenter",
                        "--mount",
                        "--target",
                        Long.toString(libvirt.daemon().pid()),
                        "mount",
                        "-t",
                        "tmpfs",
                        "-o",
                        "size=12m",
                        "none",
                        small.toString()));
        var full = hypervisor(name, small);
        try {
            var size = Files.size(TestLibvirt.guest());
            assertThatThrownBy(() -> new VmDisks(full)
                            .put(Operation.silent(), image.volume(), Files.newInputStream(TestLibvirt.guest()), size))
                    .isInstanceOf(HydraException.class)
                    .hasMessageContaining("`" + name + "` is full");
            assertThat(libvirt.virsh("vol-list", name)).isBlank();
        } finally {
            libvirt.virsh("pool-destroy", name);
            libvirt.virsh("pool-undefine", name);
            Processes.run(
                    Duration.ofSeconds(5),
                    List.of(
                            "nsenter",
                            "--mount",
                            "--target",
                            Long.toString(libvirt.daemon().pid()),
                            "umount",
                            small.toString()));
        }
    }

    @Test
    void aRunningVmSurvivesTheEndOfLibvirtdAndIsSeenAgain() throws Exception {
        var ref = ref("survivor");
        var spec = spec("hydra", null);
        backend.create(Operation.silent(), ref, spec);
        backend.start(Operation.silent(), ref, spec, BOOT);
        var changed = new CompletableFuture<UUID>();
        libvirt.kill();
        try {
            assertThatThrownBy(backend::observe).isInstanceOfSatisfying(HydraException.class, e -> {
                assertThat(e.exitCode()).isEqualTo(ExitCode.UNAVAILABLE);
                assertThat(e.text()).contains("libvirt does not answer at `" + libvirt.uri() + "`");
            });
            backend.onChange(changed::complete);
        } finally {
            libvirt.start();
        }
        assertThat(changed.get(30, TimeUnit.SECONDS)).isEqualTo(ref.id());
        assertThat(observed(ref).state()).isEqualTo(State.RUNNING);
        assertThat(inside(ref, spec, "echo alive")).containsExactly("alive");
        backend.stop(Operation.silent(), ref, Duration.ofSeconds(60), true);
    }

    /** libvirt calls back on connections that were lost; a callback that was collected would end this very process. */
    @Test
    void connectionsThatWereLostDoNotHarmTheProcess() {
        for (int round = 0; round < 4; round++) {
            backend.observe();
            for (int i = 0; i < 30; i++) {
                libvirt.virsh("define", foreign().toString());
                libvirt.virsh("undefine", "theirs");
            }
            libvirt.kill();
            libvirt.start();
            System.gc();
            await().atMost(Duration.ofSeconds(20))
                    .ignoreExceptionsInstanceOf(HydraException.class)
                    .untilAsserted(() -> assertThat(backend.observe()).isEmpty());
        }
    }

    @Test
    void aCreateThatLosesLibvirtdUndoesItWhenItIsBack() {
        var ref = ref("midway");
        var stages = new Stages() {
            @Override
            public void started(String stage) {
                super.started(stage);
                if (stage.equals("making seed")) {
                    libvirt.kill();
                    Thread.ofVirtual().start(() -> {
                        try {
                            Thread.sleep(2000);
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                        libvirt.start();
                    });
                }
            }
        };
        assertThatThrownBy(() -> backend.create(new Operation(stages), ref, spec("hydra", null)))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.UNAVAILABLE));
        assertNothingIsLeftOf(ref);
        backend.create(Operation.silent(), ref, spec("hydra", null));
        assertThat(observed(ref).state()).isEqualTo(State.STOPPED);
    }

    @Test
    void aHungLibvirtdIsSaidWithinSeconds() throws Exception {
        backend.observe();
        signal("STOP");
        try {
            var start = System.nanoTime();
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(backend::observe)
                        .isInstanceOfSatisfying(
                                HydraException.class,
                                e -> assertThat(e.exitCode()).isEqualTo(ExitCode.UNAVAILABLE));
            }
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
        } finally {
            signal("CONT");
        }
        await().atMost(Duration.ofSeconds(20))
                .ignoreExceptionsInstanceOf(HydraException.class)
                .untilAsserted(() -> assertThat(backend.observe()).isEmpty());
    }

    @Test
    void aVmThatIsStillBootingIsStoppedOnlyByForceWithinItsLimit() {
        var ref = ref("stubborn");
        var spec = spec("hydra", null);
        backend.create(Operation.silent(), ref, spec);
        backend.start(Operation.silent(), ref, spec, Duration.ZERO);
        assertThatThrownBy(() -> backend.stop(Operation.silent(), ref, Duration.ofMillis(300), false))
                .hasMessage("vm `stubborn` is still running after 0 s; give it more time or pass --force");
        backend.stop(Operation.silent(), ref, Duration.ZERO, true);
        assertThat(observed(ref).state()).isEqualTo(State.STOPPED);
    }

    @Test
    void aVmThatKvmCannotRunIsEmulatedAndTheUserIsTold() {
        var ref = ref("forced");
        var spec = spec("hydra", null);
        backend.create(Operation.silent(), ref, spec);
        var volumes = hypervisor.volumes();
        try {
            hypervisor
                    .domains()
                    .define(new Machine(
                            ref.id(),
                            ref.name(),
                            Accelerator.KVM,
                            1,
                            128,
                            volumes.path(ref.id() + ".qcow2"),
                            volumes.path(ref.id() + "-seed.iso"),
                            "52:54:00:00:00:01",
                            new Link.Network("default"),
                            "hydra",
                            ""));
        } catch (HydraException e) {
            assumeTrue(false, "libvirt offers no KVM at all here: " + e.text());
        }
        var notices = new ArrayList<String>();
        var kvmWorks = hypervisor.domains().kvmTrouble() == null;
        backend.start(
                new Operation(new Stages() {
                    @Override
                    public void notice(String line) {
                        notices.add(line);
                    }
                }),
                ref,
                spec,
                BOOT);
        assertThat(observed(ref).address()).isNotNull();
        if (!kvmWorks) {
            assertThat(notices).singleElement().asString().startsWith("KVM cannot run a guest on this host");
            assertThat(libvirt.virsh("dumpxml", ref.id().toString())).contains("<domain type='qemu'");
        }
    }

    @Test
    void aCancelledUploadLeavesNothing() throws IOException {
        var bytes = Files.readAllBytes(TestLibvirt.guest());
        var caller = Thread.currentThread();
        var content = new ByteArrayInputStream(bytes) {
            @Override
            public int readNBytes(byte[] buffer, int offset, int length) {
                if (pos > bytes.length / 2) {
                    caller.interrupt();
                }
                return super.readNBytes(buffer, offset, length);
            }
        };
        var slow = new java.io.FilterInputStream(content) {
            @Override
            public int readNBytes(byte[] buffer, int offset, int length) throws IOException {
                java.util.concurrent.locks.LockSupport.parkNanos(20_000_000);
                return content.readNBytes(buffer, offset, length);
            }
        };
        assertThatThrownBy(() -> new VmDisks(hypervisor).put(Operation.silent(), "half.qcow2", slow, bytes.length))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
        libvirt.virsh("pool-refresh", pool);
        assertThat(libvirt.virsh("vol-list", pool)).doesNotContain("half.qcow2");
    }

    @Test
    void aWrongUserDataDocumentCostsNothing() {
        var ref = ref("wrong");
        assertThatThrownBy(() -> backend.create(Operation.silent(), ref, spec("hydra", "packages: [jq]")))
                .hasMessageContaining("`#cloud-config`");
        assertNothingIsLeftOf(ref);
    }

    /** The document of a domain that is not hydra's. */
    private Path foreign() {
        try {
            return Files.writeString(
                    temporary.resolve("theirs.xml"),
                    "<domain type='qemu'><name>theirs</name><memory>65536</memory><os><type>hvm</type></os></domain>");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private Ref ref(String name) {
        var ref = new Ref(UUID.randomUUID(), name);
        made.add(ref);
        return ref;
    }

    private VmSpec spec(String user, @Nullable String userData) {
        return new VmSpec("tiny", 1, 128, 0, user, userData, "default");
    }

    private Hypervisor hypervisor(String poolName, Path folder) {
        return new Hypervisor(new VmProperties(libvirt.uri(), poolName, folder.toString(), libvirt.netns()), home);
    }

    private VmBackend backend(Hypervisor of) {
        return new VmBackend(of, home, (_, name) -> {
            if (name.equals("tiny")) {
                return image;
            }
            throw HydraException.notFound("image `" + name + "` does not exist");
        });
    }

    private static Image image(String name, Path file) throws IOException {
        return new Image(name, "qcow2", "0".repeat(64), Files.size(file), 256L << 20, file.toString(), Instant.now());
    }

    private dev.hydravisor.instance.Backend.Observed observed(Ref ref) {
        var observed = backend.observe().get(ref.id());
        assertThat(observed).as("%s is observed", ref).isNotNull();
        return java.util.Objects.requireNonNull(observed);
    }

    private List<String> inside(Ref ref, VmSpec spec, String command) {
        var argv = new ArrayList<>(backend.shellCommand(ref, spec, BOOT));
        assertThat(argv).contains("ssh");
        argv.add(command);
        return Processes.require(Duration.ofSeconds(30), argv).strip().lines().toList();
    }

    private void assertNothingIsLeftOf(Ref ref) {
        assertThat(backend.observe()).doesNotContainKey(ref.id());
        libvirt.virsh("pool-refresh", pool);
        assertThat(libvirt.virsh("vol-list", pool)).doesNotContain(ref.id().toString());
        assertThat(home.keys().resolve(ref.name())).doesNotExist();
        assertThat(home.run()).isEmptyDirectory();
    }

    private void signal(String name) {
        Processes.require(
                Duration.ofSeconds(5),
                Arrays.asList("kill", "-" + name, Long.toString(libvirt.daemon().pid())));
    }

    private static class Stages implements Operation.Listener {
        final List<String> seen = new ArrayList<>();

        @Override
        public void started(String stage) {
            seen.add(stage);
        }

        @Override
        public void finished(String stage, Duration elapsed) {}
    }
}
