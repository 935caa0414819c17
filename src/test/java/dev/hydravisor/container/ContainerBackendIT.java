package dev.hydravisor.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.images.ContainerdImages;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.image.ImageProperties;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.instance.Backend.Observed;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.ContainerSpec.Network;
import dev.hydravisor.instance.ContainerSpec.Port;
import dev.hydravisor.instance.ContainerSpec.Restart;
import dev.hydravisor.instance.State;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The container backend on a real containerd. */
@Timeout(120)
class ContainerBackendIT {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final List<String> IDLE = List.of("sleep", "1000");

    @TempDir
    private Path temporary;

    private TestContainerd daemon;
    private Containerd containerd;
    private ContainerBackend backend;
    private ContainerProperties properties;
    private final List<Ref> made = new ArrayList<>();
    private final List<UUID> changes = new CopyOnWriteArrayList<>();

    @SuppressWarnings("NullAway.Init") // filled in by JUnit
    ContainerBackendIT() {}

    @BeforeEach
    void connect() {
        daemon = TestContainerd.shared();
        properties = new ContainerProperties(daemon.address(), daemon.namespace(), "overlayfs", null, "10.88.0.0/16");
        containerd = new Containerd(daemon.address(), daemon.namespace());
        backend = backend();
    }

    @AfterEach
    void clean() {
        made.forEach(ref -> backend.delete(Operation.silent(), ref));
        backend.destroy();
        containerd.shutdown();
        assertThat(daemon.ctr("container", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("task", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("leases", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("snapshot", "ls")).doesNotContain("Active");
        assertThat(Path.of("/sys/class/net", backend.network().bridge())).doesNotExist();
        assertThat(new ContainerFiles(home()).all()).isEmpty();
        var addresses = home().containers()
                .resolve("addresses")
                .resolve(backend.network().bridge());
        if (Files.exists(addresses)) {
            try (var files = Files.list(addresses)) {
                assertThat(files.map(f -> f.getFileName().toString()).filter(n -> n.matches("[0-9.]+")))
                        .isEmpty();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    @Test
    void aContainerLivesFromCreateToDelete() {
        var ref = ref("web");
        var spec = spec(IDLE);
        backend.create(Operation.silent(), ref, spec);
        assertThat(observed(ref)).returns(State.STOPPED, Observed::state).returns(null, Observed::reason);

        backend.start(Operation.silent(), ref, spec, LIMIT);
        assertThat(observed(ref).state()).isEqualTo(State.RUNNING);
        assertThat(observed(ref).address()).startsWith("10.88.");
        assertThat(inside(ref, "hostname")).isEqualTo("web");
        assertThat(inside(ref, "cat /etc/hosts")).contains(observed(ref).address() + " web");

        backend.pause(ref);
        assertThat(observed(ref).state()).isEqualTo(State.PAUSED);
        backend.resume(ref);
        assertThat(observed(ref).state()).isEqualTo(State.RUNNING);

        // sleep is process 1 and has no handler: it does not hear SIGTERM.
        assertThatThrownBy(() -> backend.stop(Operation.silent(), ref, Duration.ofMillis(300), false))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("is still running after");
        backend.stop(Operation.silent(), ref, Duration.ofMillis(300), true);
        assertThat(observed(ref))
                .returns(State.STOPPED, Observed::state)
                .returns("exited with 137", Observed::reason)
                .returns(null, Observed::address);

        backend.start(Operation.silent(), ref, spec, LIMIT);
        assertThat(observed(ref).state()).isEqualTo(State.RUNNING);
        backend.delete(Operation.silent(), ref);
        backend.delete(Operation.silent(), ref);
        assertThat(backend.observe()).isEmpty();
    }

    // ---- helpers

    private ContainerBackend backend() {
        var fresh = new ContainerBackend(containerd, properties, home(), images());
        fresh.onChange(changes::add);
        return fresh;
    }

    private HydraHome home() {
        return new HydraHome(temporary.resolve("home"));
    }

    private Ref ref(String name) {
        var ref = new Ref(UUID.randomUUID(), name);
        made.add(ref);
        return ref;
    }

    private Observed observed(Ref ref) {
        var observed = backend.observe().get(ref.id());
        assertThat(observed).as(ref.name()).isNotNull();
        return java.util.Objects.requireNonNull(observed);
    }

    private String inside(Ref ref, String command) {
        return daemon.ctr("task", "exec", "--exec-id", "t" + System.nanoTime(), ref.name(), "sh", "-c", command)
                .strip();
    }

    private static ContainerSpec spec(List<String> command) {
        return new Spec(command).build();
    }

    /** A spec with all but a few things left at their defaults. */
    private static final class Spec {
        private final List<String> command;
        double cpus = 0;
        long memory = 0;
        long pids = 0;
        List<String> env = List.of();
        List<ContainerSpec.Mount> mounts = List.of();
        List<Port> ports = List.of();
        Network network = Network.BRIDGE;

        @Nullable
        String user;

        boolean readOnly;
        Restart restart = Restart.NO;

        Spec(List<String> command) {
            this.command = command;
        }

        ContainerSpec build() {
            return new ContainerSpec(
                    "busybox", cpus, memory, pids, env, mounts, ports, network, null, user, null, readOnly, restart,
                    command);
        }
    }

    private OciImages images() {
        var limit = Duration.ofSeconds(10);
        return new OciImages(
                new ContainerdImages(containerd, properties),
                new ImageProperties(List.of(), null, limit, limit, limit));
    }
}
