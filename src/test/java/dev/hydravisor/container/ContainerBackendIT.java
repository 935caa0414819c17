package dev.hydravisor.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.images.ContainerdImages;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.image.ImageProperties;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.image.Reference;
import dev.hydravisor.instance.Backend.Observed;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.ContainerSpec.Network;
import dev.hydravisor.instance.ContainerSpec.Port;
import dev.hydravisor.instance.ContainerSpec.Restart;
import dev.hydravisor.instance.State;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.util.unit.DataSize;

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
        properties = new ContainerProperties(
                daemon.address(), daemon.namespace(), "overlayfs", null, "10.88.0.0/16", DataSize.ofMegabytes(64));
        containerd = new Containerd(daemon.address(), daemon.namespace());
        backend = backend();
    }

    @AfterEach
    void clean() {
        made.forEach(ref -> backend.delete(Operation.silent(), ref));
        backend.destroy();
        containerd.shutdown();
        assertNothingIsLeft();
    }

    @Test
    void aContainerLivesFromCreateToDelete() {
        var ref = ref("web");
        var spec = spec(IDLE);
        backend.create(Operation.silent(), ref, spec);
        assertThat(observed(ref)).returns(State.STOPPED, Observed::state).returns(null, Observed::reason);
        assertThat(backend.imageDigest(ref, spec))
                .isEqualTo(images().find(Reference.parse(spec.image()))
                        .orElseThrow()
                        .digest());

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

    @Test
    void howAProcessEndedIsSaid() {
        var ended = run("three", new Spec(List.of("sh", "-c", "exit 3")));
        awaitState(ended, State.FAILED);
        assertThat(observed(ended).reason()).isEqualTo("exited with 3");
        var well = run("zero", new Spec(List.of("true")));
        awaitState(well, State.STOPPED);
        assertThat(observed(well).reason()).isEqualTo("exited with 0");
        await().atMost(Duration.ofSeconds(1)).until(() -> changes.containsAll(List.of(ended.id(), well.id())));
    }

    @Test
    void whatIsPrintedIsLoggedWithItsTimeAndStream() throws Exception {
        var ref = run(
                "talk",
                new Spec(List.of("sh", "-c", "echo one; echo two >&2; printf half; sleep 0.5; echo more; printf end")));
        awaitState(ref, State.STOPPED);
        var entries = logs(ref, -1);
        assertThat(entries.stream().map(LogEntry::text).toList())
                .containsExactlyInAnyOrder("one", "two", "half", "more", "end");
        assertThat(entries.stream().filter(LogEntry::stderr).map(LogEntry::text))
                .containsExactly("two");
        assertThat(entries.stream().filter(e -> !e.whole()).map(LogEntry::text)).containsExactly("half");
        assertThat(entries.getFirst().time()).isBetween(Instant.now().minusSeconds(60), Instant.now());
        assertThat(logs(ref, 2).stream().map(LogEntry::text)).containsExactly("half", "more", "end");
        assertThat(logs(ref, 0)).isEmpty();
    }

    @Test
    void nothingOfAMuchTalkingProcessIsLost() throws Exception {
        var ref = run("flood", new Spec(List.of("sh", "-c", "seq 1 200000; head -c 100000 /dev/zero | tr '\\0' x")));
        awaitState(ref, State.STOPPED);
        var whole = new StringBuilder();
        for (var entry : logs(ref, -1)) {
            whole.append(entry.text()).append(entry.whole() ? "\n" : "");
        }
        var lines = whole.toString().lines().toList();
        assertThat(lines).hasSize(200_001);
        assertThat(lines.get(199_999)).isEqualTo("200000");
        assertThat(lines.getLast()).isEqualTo("x".repeat(100_000));
        assertThat(logs(ref, 3).stream().map(LogEntry::text)).startsWith("199999", "200000");
    }

    @Test
    void aLogKeepsItsLimitAndIsFollowedFromOneFileToTheNext() throws Exception {
        backend.destroy();
        properties = new ContainerProperties(
                daemon.address(), daemon.namespace(), "overlayfs", null, "10.88.0.0/16", DataSize.ofKilobytes(64));
        backend = backend();
        var ref = run(
                "chatty",
                new Spec(List.of(
                        "sh",
                        "-c",
                        "for n in $(seq 1 20); do seq $((n * 1000)) $((n * 1000 + 199)); sleep 0.1; done")));
        var followed = new ArrayList<LogEntry>();
        Logs.read(backend.files().log(ref.id()), -1, null, () -> observed(ref).state() == State.RUNNING, followed::add);
        var expected = java.util.stream.IntStream.rangeClosed(1, 20)
                .boxed()
                .flatMap(n -> java.util.stream.IntStream.range(n * 1000, n * 1000 + 200)
                        .mapToObj(Integer::toString))
                .toList();
        assertThat(followed.stream().map(LogEntry::text)).containsExactlyElementsOf(expected);

        var log = backend.files().log(ref.id());
        assertThat(Files.size(log) + Files.size(Logs.before(log))).isBetween(32L << 10, 64L << 10);
        var kept = logs(ref, -1).stream().map(LogEntry::text).toList();
        assertThat(kept).hasSizeBetween(600, 3000).isEqualTo(expected.subList(4000 - kept.size(), 4000));
        // All that the newer file has, and more.
        assertThat(logs(ref, kept.size() - 1).stream().map(LogEntry::text))
                .containsExactlyElementsOf(kept.subList(1, kept.size()));
        assertThat(logs(ref, 3).stream().map(LogEntry::text)).containsExactly("20197", "20198", "20199");
        assertThat(logs(ref, 0)).isEmpty();
    }

    @Test
    void aProcessThatWantsTooMuchMemoryIsKilledAndSaidToBe() {
        var spec = new Spec(List.of("tail", "/dev/zero"));
        spec.memory = 32;
        var ref = run("greedy", spec);
        awaitState(ref, State.FAILED);
        assertThat(observed(ref).reason()).isEqualTo("killed: out of memory (its limit is 32 MiB)");
    }

    @Test
    void limitsAreWhatTheKernelEnforces() {
        var spec = new Spec(IDLE);
        spec.memory = 64;
        spec.pids = 7;
        spec.cpus = 0.5;
        var ref = run("small", spec);
        var cgroup = "/" + daemon.namespace() + "/small";
        if (RuntimeSpec.isCgroup2()) {
            var folder = Path.of("/sys/fs/cgroup" + cgroup);
            assertThat(folder.resolve("memory.max")).hasContent("67108864");
            assertThat(folder.resolve("pids.max")).hasContent("7");
            assertThat(folder.resolve("cpu.max")).hasContent("50000 100000");
        } else {
            assertThat(Path.of("/sys/fs/cgroup/memory" + cgroup, "memory.limit_in_bytes"))
                    .hasContent("67108864");
            assertThat(Path.of("/sys/fs/cgroup/pids" + cgroup, "pids.max")).hasContent("7");
            assertThat(Path.of("/sys/fs/cgroup/cpu" + cgroup, "cpu.cfs_quota_us"))
                    .hasContent("50000");
        }
        var usage = backend.tasks().usage(ref.name()).get(ref.name());
        assertThat(usage).isNotNull();
        assertThat(Objects.requireNonNull(usage).memoryLimit()).isEqualTo(64L << 20);
    }

    @Test
    void theIsolationIsContainerdsOwn() {
        var ref = run("caged", new Spec(IDLE));
        var status = executed(ref, "cat /proc/1/status");
        assertThat(status).containsPattern("Seccomp:\\s+2").containsPattern("NoNewPrivs:\\s+1");
        assertThat(status).containsPattern("CapBnd:\\s+00000000a80425fb");
        assertThat(executed(ref, "cat /proc/kcore | head -c 1 | wc -c")).isEqualTo("0");
        assertThat(executed(ref, "echo 1 > /proc/sys/vm/drop_caches || echo refused"))
                .endsWith("refused");
        assertThat(executed(ref, "mount -t tmpfs none /mnt || echo refused")).endsWith("refused");
    }

    @Test
    void userMountsEnvironmentAndReadOnlyRootAreObeyed() throws IOException {
        var shared = Files.createDirectory(temporary.resolve("shared"));
        Files.writeString(shared.resolve("hello"), "from the host");
        var spec = new Spec(IDLE);
        spec.user = "guest";
        spec.readOnly = true;
        spec.env = List.of("COLOUR=red", "FROM_IMAGE=no");
        spec.mounts = List.of(new ContainerSpec.Mount(shared.toString(), "/shared", true));
        var ref = run("user", spec);
        assertThat(inside(ref, "id -u; id -g; id -G")).isEqualTo("1000\n1000\n1000 2000");
        assertThat(inside(ref, "echo $COLOUR $FROM_IMAGE $HOME")).isEqualTo("red no /home/guest");
        assertThat(inside(ref, "cat /shared/hello; touch /shared/x || echo refused"))
                .contains("from the host")
                .endsWith("refused");
        assertThat(inside(ref, "touch /tmp/x 2>&1 || echo refused"))
                .contains("Read-only")
                .endsWith("refused");
        assertThatThrownBy(() -> {
                    var nobody = new Spec(IDLE);
                    nobody.user = "nosuch";
                    backend.create(Operation.silent(), ref("nosuch"), nobody.build());
                })
                .hasMessageContaining("knows no user `nosuch`");
    }

    @Test
    void aPublishedPortIsReachedOnTheHostAndByNobodyElseTwice() throws Exception {
        var port = freePort();
        var spec = new Spec(List.of("sh", "-c", "while :; do echo welcome | nc -l -p 80; done"));
        spec.ports = List.of(new Port("127.0.0.1", port, 80, "tcp"));
        var ref = run("server", spec);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(read("127.0.0.1", port)).isEqualTo("welcome"));
        var address = Objects.requireNonNull(observed(ref).address());
        await().atMost(LIMIT).untilAsserted(() -> assertThat(read(address, 80)).isEqualTo("welcome"));

        var second = ref("second");
        backend.create(Operation.silent(), second, spec.build());
        assertThatThrownBy(() -> backend.start(Operation.silent(), second, spec.build(), LIMIT))
                .hasMessageContaining("is published by container `server`");
        backend.stop(Operation.silent(), ref, Duration.ZERO, true);
        backend.start(Operation.silent(), second, spec.build(), LIMIT);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(read("127.0.0.1", port)).isEqualTo("welcome"));

        var taken = ref("taken");
        try (var socket = new ServerSocket(0)) {
            spec.ports = List.of(new Port(null, socket.getLocalPort(), 80, "tcp"));
            backend.create(Operation.silent(), taken, spec.build());
            assertThatThrownBy(() -> backend.start(Operation.silent(), taken, spec.build(), LIMIT))
                    .hasMessageContaining("cannot be published");
        }
    }

    @Test
    void withoutANetworkThereIsNoneAndWithTheHostsItIsTheHosts() {
        var none = new Spec(IDLE);
        none.network = Network.NONE;
        var alone = run("alone", none);
        assertThat(inside(alone, "ip -o link | wc -l; ip route | wc -l")).isEqualTo("1\n0");
        assertThat(observed(alone).address()).isNull();

        var host = new Spec(IDLE);
        host.network = Network.HOST;
        assertThat(inside(run("open", host), "ls /sys/class/net")).contains("lo");
        assertThat(inside(new Ref(UUID.randomUUID(), "open"), "readlink /proc/1/ns/net"))
                .isEqualTo(Processes.require(LIMIT, List.of("readlink", "/proc/self/ns/net"))
                        .strip());
    }

    @Test
    void containersOfOneHomeReachEachOther() {
        var one = run("one", new Spec(List.of("sh", "-c", "while :; do echo hi | nc -l -p 5000; done")));
        var two = run("two", new Spec(IDLE));
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(
                                inside(two, "nc -w 2 " + observed(one).address() + " 5000 </dev/null"))
                        .isEqualTo("hi"));
    }

    @Test
    void eightAreStartedAtOnceEachWithItsOwnAddress() throws Exception {
        var threads = new ArrayList<Thread>();
        var failures = new CopyOnWriteArrayList<Throwable>();
        for (int i = 0; i < 8; i++) {
            var ref = ref("many" + i);
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    backend.create(Operation.silent(), ref, spec(IDLE));
                    backend.start(Operation.silent(), ref, spec(IDLE), LIMIT);
                } catch (Throwable e) {
                    failures.add(e);
                }
            }));
        }
        for (var thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        var all = backend.observe().values();
        assertThat(all).hasSize(8).allMatch(o -> o.state() == State.RUNNING);
        assertThat(all.stream().map(Observed::address).distinct()).hasSize(8);
    }

    @Test
    void containerdKilledUnderThemIsToldInOneLineAndComesBackByItself() throws Exception {
        var ref = run("survivor", new Spec(List.of("sh", "-c", "while :; do echo tick; sleep 0.2; done")));
        daemon.kill();
        try {
            var start = System.nanoTime();
            assertThatThrownBy(() -> backend.observe()).isInstanceOfSatisfying(HydraException.class, e -> {
                assertThat(e.exitCode()).isEqualTo(ExitCode.UNAVAILABLE);
                assertThat(e.text())
                        .contains("containerd does not answer at `" + daemon.address() + "`")
                        .doesNotContain("\n");
            });
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
            var before = logs(ref, -1).size();
            await().atMost(LIMIT).until(() -> logs(ref, -1).size() > before + 3);
        } finally {
            daemon.start();
        }
        await().atMost(Duration.ofSeconds(3))
                .ignoreExceptions()
                .until(() -> observed(ref).state() == State.RUNNING);
        // It hears of what happens from then on.
        Thread.sleep(2000);
        changes.clear();
        daemon.ctr("task", "kill", "-s", "KILL", "survivor");
        await().atMost(Duration.ofSeconds(2)).until(() -> changes.contains(ref.id()));
        awaitState(ref, State.FAILED);
    }

    @Test
    void whatCtrDoesBehindOurBackIsSeen() {
        var ref = run("behind", new Spec(IDLE));
        daemon.ctr("task", "pause", "behind");
        await().atMost(Duration.ofSeconds(1)).until(() -> changes.contains(ref.id()));
        assertThat(observed(ref).state()).isEqualTo(State.PAUSED);
        daemon.ctr("task", "resume", "behind");
        daemon.ctr("task", "rm", "-f", "behind");
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(observed(ref).state()).isNotEqualTo(State.RUNNING));
        await().atMost(LIMIT).until(() -> !Files.exists(backend.files().network(ref.id())));
        daemon.ctr("container", "rm", "behind");
        assertThat(backend.observe()).doesNotContainKey(ref.id());
    }

    @Test
    void restartPoliciesAreObeyed() throws Exception {
        var counter = Files.createDirectory(temporary.resolve("counter"));
        var spec = new Spec(
                List.of("sh", "-c", "echo x >> /counter/runs; [ $(wc -l < /counter/runs) -lt 3 ] && exit 1; exit 0"));
        spec.mounts = List.of(new ContainerSpec.Mount(counter.toString(), "/counter", false));
        spec.restart = Restart.ON_FAILURE;
        var ref = run("again", spec);
        await().atMost(LIMIT)
                .until(() -> Files.exists(counter.resolve("runs"))
                        && Files.readAllLines(counter.resolve("runs")).size() == 3);
        awaitState(ref, State.STOPPED);
        Thread.sleep(1500);
        assertThat(counter.resolve("runs")).content().hasLineCount(3);
    }

    @Test
    void alwaysIsStartedAgainAlsoByTheNextHydraAndNeverAfterAStop() {
        var spec = new Spec(IDLE);
        spec.restart = Restart.ALWAYS;
        var ref = run("always", spec);
        backend.destroy();
        daemon.ctr("task", "kill", "-s", "KILL", "always");
        await().atMost(LIMIT).until(() -> daemon.ctr("task", "ls").contains("STOPPED"));
        backend = backend();
        awaitState(ref, State.RUNNING);

        backend.stop(Operation.silent(), ref, Duration.ZERO, true);
        backend.destroy();
        backend = backend();
        await().during(Duration.ofSeconds(2))
                .atMost(LIMIT)
                .until(() -> observed(ref).state() == State.STOPPED);
    }

    @Test
    void aForeignContainerOfThatNameIsAConflictAndStays() {
        daemon.ctr("container", "create", TestContainerd.IMAGE, "theirs", "sleep", "9");
        try {
            assertThatThrownBy(() -> backend.create(Operation.silent(), ref("theirs"), spec(IDLE)))
                    .isInstanceOfSatisfying(
                            HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CONFLICT));
            assertThat(daemon.ctr("container", "ls", "-q")).contains("theirs");
        } finally {
            daemon.ctr("container", "rm", "theirs");
        }
    }

    @Test
    void aCreateThatFailsLeavesNothing() {
        var spec = new Spec(List.of("nosuchprogram")).build();
        var ref = new Ref(UUID.randomUUID(), "broken");
        var operation = Operation.silent();
        assertThatThrownBy(() -> operation.run(() -> {
                    backend.create(operation, ref, spec);
                    backend.start(operation, ref, spec, LIMIT);
                }))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("nosuchprogram")
                .hasMessageContaining("not found");
        assertNothingIsLeft();
    }

    @Test
    void aCreateThatIsCancelledAtAnyMomentLeavesNothing() throws Exception {
        for (int millis = 0; millis < 400; millis += 25) {
            var ref = new Ref(UUID.randomUUID(), "cancelled");
            var operation = Operation.silent();
            var thread = Thread.ofPlatform().start(() -> {
                try {
                    operation.run(() -> {
                        backend.create(operation, ref, spec(IDLE));
                        backend.start(operation, ref, spec(IDLE), LIMIT);
                        Thread.sleep(10_000);
                    });
                } catch (HydraException e) {
                    // As it should be.
                }
            });
            Thread.sleep(millis);
            thread.interrupt();
            thread.join();
            assertNothingIsLeft();
        }
    }

    @Test
    void aShellInAPaneOutlivesContainerdAndEndsWithItsPaneLeavingNothing() throws Exception {
        var ref = run("shell", new Spec(IDLE));
        var argv = backend.shellCommand(ref, spec(IDLE), LIMIT);
        var socket = temporary.resolve("tmux").toString();
        var tmux = new ArrayList<>(
                List.of("tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", "91", "-y", "17"));
        tmux.addAll(argv);
        Processes.require(LIMIT, tmux);
        try {
            await().atMost(LIMIT).until(() -> pane(socket).contains("#"));
            type(socket, "stty size; hostname");
            await().atMost(LIMIT)
                    .until(() -> pane(socket).contains("17 91") && pane(socket).contains("shell"));
            daemon.kill();
            try {
                type(socket, "echo a$((1+1))live");
                await().atMost(LIMIT).until(() -> pane(socket).contains("a2live"));
            } finally {
                daemon.start();
            }
            type(socket, "echo b$((1+1))ck");
            await().atMost(LIMIT).until(() -> pane(socket).contains("b2ck"));
            assertThat(backend.tasks().pids(ref.name())).hasSize(2);
            Processes.require(LIMIT, List.of("tmux", "-S", socket, "kill-session"));
            await().atMost(LIMIT)
                    .ignoreExceptions()
                    .until(() -> backend.tasks().pids(ref.name()).size() == 1);
        } finally {
            Processes.run(LIMIT, List.of("tmux", "-S", socket, "kill-server"));
        }
    }

    private static void type(String socket, String line) {
        Processes.require(LIMIT, List.of("tmux", "-S", socket, "send-keys", line, "Enter"));
    }

    // ---- helpers

    private void assertNothingIsLeft() {
        assertThat(daemon.ctr("container", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("task", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("leases", "ls", "-q")).isBlank();
        assertThat(daemon.ctr("snapshot", "ls")).doesNotContain("Active");
        assertThat(Path.of("/sys/class/net", backend.network().bridge())).doesNotExist();
        assertThat(new ContainerFiles(home(), 0).all()).isEmpty();
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

    private static String pane(String socket) {
        return Processes.require(LIMIT, List.of("tmux", "-S", socket, "capture-pane", "-p"));
    }

    private Ref run(String name, Spec spec) {
        var ref = ref(name);
        backend.create(Operation.silent(), ref, spec.build());
        backend.start(Operation.silent(), ref, spec.build(), LIMIT);
        return ref;
    }

    private void awaitState(Ref ref, State state) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(observed(ref).state()).isEqualTo(state));
    }

    private List<LogEntry> logs(Ref ref, long tail) throws InterruptedException {
        var entries = new ArrayList<LogEntry>();
        Logs.read(backend.files().log(ref.id()), tail, null, () -> false, entries::add);
        return entries;
    }

    private static int freePort() throws IOException {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static String read(String host, int port) throws IOException {
        try (var socket = new Socket(host, port)) {
            socket.setSoTimeout(2000);
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        }
    }

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
        return Objects.requireNonNull(observed);
    }

    private String executed(Ref ref, String command) {
        return backend.exec(ref, spec(IDLE), List.of("sh", "-c", command), new byte[0], LIMIT)
                .out()
                .strip();
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
