package dev.hydravisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.env.TestRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.containers.BindMode;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/** The image of the Dockerfile, built and run by a docker daemon of the test's own, on a base made of the distribution's packages. */
@Timeout(600)
class ContainerImageIT {
    private static final Path FOLDER = Path.of("target/docker").toAbsolutePath();
    private static final String IMAGE = "hydra:test";
    private static final Duration HEALTHY = Duration.ofMinutes(3);

    @TempDir
    private Path home;

    @SuppressWarnings("NullAway.Init") // filled in by JUnit
    ContainerImageIT() {}

    @BeforeAll
    static void build() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "dockerd mounts file systems, which needs root");
        TestRegistry.script("docker", List.of("up", FOLDER.toString()));
        var base = new ArrayList<>(List.of("base", FOLDER.toString(), "hydra-base"));
        base.addAll(packages());
        TestRegistry.script("docker", base);
        TestRegistry.run(List.of(
                Path.of("bin/image").toAbsolutePath().toString(),
                IMAGE,
                "--build-arg",
                "BASE=hydra-base",
                "--network",
                "none"));
    }

    @AfterAll
    static void clean() throws IOException {
        if (!Files.exists(FOLDER)) {
            return;
        }
        TestRegistry.script("docker", List.of("down", FOLDER.toString()));
        try (var files = Files.walk(FOLDER)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    @Test
    void aUserOfItIsNotRootAndItIsHealthyWithoutAnyBackend() throws Exception {
        try (var hydra = container()) {
            hydra.start();
            assertThat(in(hydra, "id", "-u")).isEqualTo("1000");
            assertThat(in(hydra, "hydra", "daemon", "status")).contains("/var/lib/hydra/run/hydrad.sock");
            assertThat(in(hydra, "hydra", "list")).startsWith("NAME");
            // Its status says that something is missing.
            assertThat(hydra.execInContainer("hydra", "doctor").getStdout())
                    .contains("containerd does not answer", "libvirt does not answer");
            assertThat(in(hydra, "tmux", "-V")).startsWith("tmux");
        }
    }

    @Test
    void withTheHostsSocketsItRunsContainersAndSeesTheHostsVms() throws Exception {
        var libvirt = TestLibvirt.shared();
        var containerd = TestContainerd.shared();
        var sockets = Objects.requireNonNull(Path.of(containerd.address()).getParent());
        var socket = Path.of(libvirt.uri().split("socket=", 2)[1]);
        var environment = new java.util.TreeMap<String, String>(containerd.environment());
        environment.put("HYDRA_LIBVIRT_URI", libvirt.uri());
        environment.put("HYDRA_HOME", home.toString());
        try (var hydra = container()) {
            hydra.withEnv(environment)
                    .withFileSystemBind(home.toString(), home.toString(), BindMode.READ_WRITE)
                    // Its images lie below the same folder.
                    .withFileSystemBind("" + sockets.getParent(), "" + sockets.getParent(), BindMode.READ_WRITE)
                    .withFileSystemBind("" + socket.getParent(), "" + socket.getParent(), BindMode.READ_WRITE)
                    .withFileSystemBind("/run/containerd", "/run/containerd", BindMode.READ_WRITE)
                    .withCreateContainerCmdModifier(command -> command.withUser("0"))
                    .start();
            assertThat(in(hydra, "hydra", "doctor"))
                    .containsPattern("libvirt +ok")
                    .containsPattern("containerd +ok")
                    .containsPattern("snapshotter +ok");
            assertThat(in(hydra, "hydra", "vm", "list")).startsWith("NAME");
            in(hydra, "hydra container create web --run --image busybox --network none -- sleep 1000".split(" "));
            assertThat(in(hydra, "hydra", "container", "exec", "web", "hostname"))
                    .isEqualTo("web");
            assertThat(in(hydra, "hydra", "container", "list")).containsPattern("web +running +busybox");
            assertThat(containerd.ctr("task", "ls")).containsPattern("web +[0-9]+ +RUNNING");
            in(hydra, "hydra", "container", "delete", "web", "--force");
            assertThat(containerd.ctr("container", "ls", "-q")).isBlank();
        }
    }

    /** On the host's network: nothing but that belongs to a hydra that reaches its instances. */
    private static GenericContainer<?> container() {
        return new GenericContainer<>(DockerImageName.parse(IMAGE))
                .withNetworkMode("host")
                .waitingFor(Wait.forHealthcheck())
                .withStartupTimeout(HEALTHY);
    }

    /** What a command prints; it has to succeed. */
    private static String in(GenericContainer<?> container, String... argv) throws Exception {
        var ended = container.execInContainer(argv);
        assertThat(ended.getExitCode())
                .as(String.join(" ", argv) + "\n" + ended.getStderr())
                .isZero();
        return ended.getStdout().strip();
    }

    /** What the Dockerfile would install, so that its build needs no network. */
    private static List<String> packages() throws IOException {
        var line = Files.readString(Path.of("Dockerfile"))
                .lines()
                .filter(l -> l.contains("packages='"))
                .findFirst()
                .orElseThrow();
        return List.of(line.split("'")[1].split(" "));
    }
}
