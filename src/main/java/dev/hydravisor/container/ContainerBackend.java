package dev.hydravisor.container;

import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.ContainersGrpc;
import dev.hydravisor.container.containerd.api.ContainersProto.Container;
import dev.hydravisor.container.containerd.api.ContainersProto.CreateContainerRequest;
import dev.hydravisor.container.containerd.api.ContainersProto.DeleteContainerRequest;
import dev.hydravisor.container.containerd.api.ContainersProto.GetContainerRequest;
import dev.hydravisor.container.containerd.api.ContainersProto.ListContainersRequest;
import dev.hydravisor.container.containerd.api.ContainersProto.UpdateContainerRequest;
import dev.hydravisor.container.containerd.api.SnapshotsGrpc;
import dev.hydravisor.container.containerd.api.SnapshotsProto.MountsRequest;
import dev.hydravisor.container.containerd.api.SnapshotsProto.PrepareSnapshotRequest;
import dev.hydravisor.container.containerd.api.SnapshotsProto.RemoveSnapshotRequest;
import dev.hydravisor.container.containerd.api.TaskProto.Process;
import dev.hydravisor.container.containerd.api.TaskProto.Status;
import dev.hydravisor.container.containerd.api.TypesProto.Mount;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.instance.Backend;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.ContainerSpec.Port;
import dev.hydravisor.instance.ContainerSpec.Restart;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.Usage;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.stereotype.Component;

/**
 * Containers as containerd's: a snapshot of an image, a container whose labels say what hydra must know of it again, a task while it
 * runs. An instance's name is its container's id; its own id, which is never used twice, is its snapshot's key.
 */
@Component
public class ContainerBackend implements Backend, DisposableBean {
    private static final Logger log = LoggerFactory.getLogger(ContainerBackend.class);

    private static final String ID = "dev.hydravisor.id";
    // Which home made it; also the name of that home's bridge.
    private static final String HOME = "dev.hydravisor.home";
    // What the image's name stood for then.
    private static final String IMAGE_DIGEST = "dev.hydravisor.image-digest";
    private static final String STARTED = "dev.hydravisor.started";
    private static final String ADDRESS = "dev.hydravisor.address";
    // How the last run ended; empty while it runs.
    private static final String EXIT = "dev.hydravisor.exit";
    private static final String OOM = "dev.hydravisor.oom";
    // Set when it was the user who ended it.
    private static final String STOPPED = "dev.hydravisor.stopped";
    private static final String STOP_SIGNAL = "dev.hydravisor.stop-signal";

    private static final Duration KILL_LIMIT = Duration.ofSeconds(15);
    private static final Duration FIRST_RESTART = Duration.ofMillis(200);
    private static final Duration LAST_RESTART = Duration.ofMinutes(1);
    // A run that lasted this long counts as good, and the next failure as the first.
    private static final Duration GOOD_RUN = Duration.ofSeconds(10);

    private final Containerd containerd;
    private final OciImages images;
    private final ContainerFiles files;
    private final Network network;
    private final Tasks tasks;
    private final Watch watch;
    private final String snapshotter;
    private final String home;
    private final Path run;
    private final Map<String, ReentrantLock> locks = new ConcurrentHashMap<>();
    // The bridge goes with its last container, and not while another one is being put on it.
    private final ReentrantReadWriteLock bridge = new ReentrantReadWriteLock();
    private final Map<UUID, Integer> failures = new ConcurrentHashMap<>();
    private final Map<UUID, Thread> restarts = new ConcurrentHashMap<>();
    private final Map<String, UUID> known = new ConcurrentHashMap<>();
    private volatile ChangeListener listener = _ -> {};

    public ContainerBackend(Containerd containerd, ContainerProperties properties, HydraHome home, OciImages images) {
        this.containerd = containerd;
        this.images = images;
        this.snapshotter = properties.snapshotter();
        this.files = new ContainerFiles(home, properties.logLimit().toBytes());
        this.run = home.run();
        this.home = "hydra-"
                + sha256(home.root().toAbsolutePath() + "\n" + containerd.address() + "\n" + containerd.namespace())
                        .substring(0, 8);
        this.network = new Network(files.root(), this.home, properties.subnets(), properties.cniBin());
        this.tasks = new Tasks(containerd);
        this.watch = new Watch(
                containerd, this::heard, this::reconcile, () -> known.values().forEach(listener::changed));
        // Who has no container is not connected to containerd for nothing.
        if (!files.all().isEmpty()) {
            watch.start();
        }
    }

    @Override
    public Kind kind() {
        return Kind.CONTAINER;
    }

    @Override
    public void onChange(ChangeListener listener) {
        this.listener = listener;
    }

    @Override
    public void destroy() {
        watch.close();
        restarts.values().forEach(Thread::interrupt);
    }

    Containerd containerd() {
        return containerd;
    }

    ContainerFiles files() {
        return files;
    }

    Tasks tasks() {
        return tasks;
    }

    Network network() {
        return network;
    }

    String snapshotter() {
        return snapshotter;
    }

    @Override
    public void create(Operation operation, Ref ref, InstanceSpec spec) {
        operation.run(() -> create(operation, ref, (ContainerSpec) spec));
    }

    private void create(Operation operation, Ref ref, ContainerSpec spec) {
        var there = find(ref.name());
        if (there != null && isOf(there, ref)) {
            return;
        }
        if (there != null) {
            throw HydraException.conflict("containerd has a container `" + ref.name()
                    + "` in its namespace `" + containerd.namespace()
                    + "` that belongs to nothing here; choose another name, or remove it with `ctr -n "
                    + containerd.namespace() + " container rm " + ref.name() + "`");
        }
        check(spec);
        var image = images.resolve(operation, spec.image());
        operation.stage("creating container", () -> {
            RuntimeSpec.argv(spec, image.config());
            operation.onFailure("container", () -> remove(ref));
            // Until the container holds it, the lease keeps the snapshot.
            try (var lease = containerd.lease()) {
                var mounts = lease.call(
                                SnapshotsGrpc::newBlockingStub,
                                s -> s.prepare(PrepareSnapshotRequest.newBuilder()
                                        .setSnapshotter(snapshotter)
                                        .setKey(ref.id().toString())
                                        .setParent(image.chain())
                                        .build()))
                        .getMountsList();
                var user = new UserDatabase(layers(mounts))
                        .find(spec.user() == null ? image.config().user() : spec.user());
                var document = RuntimeSpec.of(
                        ref.name(),
                        "/" + containerd.namespace() + "/" + ref.name(),
                        spec,
                        image.config(),
                        user,
                        files.make(ref.id(), ref.name(), spec));
                var container = Container.newBuilder()
                        .setId(ref.name())
                        .setImage(image.name())
                        .setRuntime(Container.Runtime.newBuilder().setName("io.containerd.runc.v2"))
                        .setSpec(Tasks.document("Spec", document))
                        .setSnapshotter(snapshotter)
                        .setSnapshotKey(ref.id().toString())
                        .putLabels(ID, ref.id().toString())
                        .putLabels(HOME, home)
                        .putLabels(IMAGE_DIGEST, image.digest())
                        .putLabels(
                                STOP_SIGNAL,
                                Integer.toString(Signals.number(image.config().stopSignal())));
                lease.call(
                        ContainersGrpc::newBlockingStub,
                        s -> s.create(CreateContainerRequest.newBuilder()
                                .setContainer(container)
                                .build()));
                known.put(ref.name(), ref.id());
            }
            watch.start();
        });
    }

    @Override
    public String imageDigest(Ref ref, InstanceSpec spec) {
        return require(ref).getLabelsOrDefault(IMAGE_DIGEST, "");
    }

    /** What can be known to be wrong before anything is made. */
    private void check(ContainerSpec spec) {
        for (var mount : spec.mounts()) {
            if (!Files.exists(Path.of(mount.source()))) {
                throw HydraException.notFound(
                        "there is no `" + mount.source() + "` to mount; make it first, or mend the path");
            }
        }
        if (spec.network() == ContainerSpec.Network.BRIDGE && network.plugins() == null) {
            throw HydraException.unavailable("the CNI plugins are not installed; install them with bin/setup, set"
                    + " container.cni-bin, or use `--network none`");
        }
    }

    @Override
    public void start(Operation operation, Ref ref, InstanceSpec spec, Duration limit) {
        operation.run(() -> {
            operation.onFailure("task", () -> exclusively(ref.name(), () -> kill(ref)));
            operation.stage("starting", () -> exclusively(ref.name(), () -> start(ref, (ContainerSpec) spec)));
        });
    }

    private void start(Ref ref, ContainerSpec spec) {
        var container = require(ref);
        var task = tasks.find(ref.name());
        if (task != null) {
            if (task.getStatus() == Status.RUNNING) {
                return;
            }
            if (task.getStatus() == Status.PAUSED || task.getStatus() == Status.PAUSING) {
                tasks.resume(ref.name());
                return;
            }
            kill(ref);
        }
        requireFree(ref, spec.ports());
        var mounts = mounts(container);
        files.renew(ref.id(), ref.name(), spec, null);
        int pid;
        try {
            pid = tasks.create(ref.name(), mounts, files.logUri(ref.id()));
        } catch (HydraException e) {
            throw explain(e);
        }
        String address = "";
        if (spec.network() == ContainerSpec.Network.BRIDGE) {
            bridge.readLock().lock();
            try {
                address = network.connect(ref.name(), pid, spec.ports(), files.network(ref.id()));
            } finally {
                bridge.readLock().unlock();
            }
            files.renew(ref.id(), ref.name(), spec, address);
        }
        label(ref.name(), Map.of(STARTED, Instant.now().toString(), ADDRESS, address, EXIT, "", OOM, "", STOPPED, ""));
        try {
            tasks.start(ref.name());
        } catch (HydraException e) {
            throw explain(e);
        }
    }

    /** runc's reason without the four programs that pass it on. */
    static HydraException explain(HydraException e) {
        var text = e.text();
        for (var prefix : List.of("runc create failed: ", "unable to start container process: ")) {
            var at = text.lastIndexOf(prefix);
            text = at < 0 ? text : text.substring(at + prefix.length());
        }
        if (text.endsWith(": unknown")) {
            text = text.substring(0, text.length() - ": unknown".length());
        }
        return text.equals(e.text()) || e.exitCode() == ExitCode.UNAVAILABLE
                ? e
                : new HydraException(e.exitCode(), "it cannot be started: " + text, e);
    }

    /** A port that somebody else holds is found out now, not by a visitor who reaches the wrong one. */
    private void requireFree(Ref ref, List<Port> ports) {
        if (ports.isEmpty()) {
            return;
        }
        for (var other : observe().values()) {
            var spec = other.ref().id().equals(ref.id())
                            || (other.state() != State.RUNNING && other.state() != State.PAUSED)
                    ? null
                    : files.spec(other.ref().id());
            if (spec != null) {
                for (var port : ports) {
                    if (spec.ports().stream()
                            .anyMatch(p -> p.hostPort() == port.hostPort()
                                    && p.protocol().equals(port.protocol()))) {
                        throw HydraException.conflict("port " + port.hostPort() + "/" + port.protocol()
                                + " of this host is published by container `"
                                + other.ref().name()
                                + "`; stop that one, or publish another");
                    }
                }
            }
        }
        for (var port : ports) {
            if (!port.protocol().equals("tcp")) {
                continue;
            }
            try (var socket = new ServerSocket()) {
                socket.setReuseAddress(true);
                socket.bind(
                        port.hostAddress() == null
                                ? new InetSocketAddress(port.hostPort())
                                : new InetSocketAddress(InetAddress.getByName(port.hostAddress()), port.hostPort()));
            } catch (IOException e) {
                throw HydraException.conflict(
                        "port " + port + " of this host cannot be published: " + e.getMessage() + "; publish another");
            }
        }
    }

    @Override
    public void stop(Operation operation, Ref ref, Duration limit, boolean force) {
        operation.run(() -> exclusively(ref.name(), () -> end(operation, ref, limit, force)));
    }

    private void end(Operation operation, Ref ref, Duration limit, boolean force) {
        var restart = restarts.remove(ref.id());
        if (restart != null) {
            restart.interrupt();
        }
        var container = find(ref.name());
        if (container == null || !isOf(container, ref)) {
            return;
        }
        var task = tasks.find(ref.name());
        if (task == null || task.getStatus() == Status.STOPPED) {
            settle(container, true);
            return;
        }
        if (task.getStatus() == Status.PAUSED || task.getStatus() == Status.PAUSING) {
            // A frozen process hears no signal.
            tasks.resume(ref.name());
        }
        tasks.kill(ref.name(), Signals.number(container.getLabelsMap().get(STOP_SIGNAL)), false);
        if (!tasks.awaitEnd(ref.name(), limit, w -> operation.progress(w.toSeconds(), limit.toSeconds(), "s"))) {
            if (!force) {
                throw HydraException.failed("container `" + ref.name() + "` is still running after " + limit.toSeconds()
                        + " s; give it more time or pass --force");
            }
            tasks.kill(ref.name(), Tasks.SIGKILL, true);
            if (!tasks.awaitEnd(ref.name(), KILL_LIMIT, _ -> {})) {
                throw HydraException.failed("container `" + ref.name()
                        + "` does not end even when killed; its process is stuck in the kernel: see `hydra container top "
                        + ref.name() + "`");
            }
        }
        settle(container, true);
    }

    @Override
    public void pause(Ref ref) {
        require(ref);
        var task = tasks.find(ref.name());
        if (task != null && task.getStatus() == Status.PAUSED) {
            return;
        }
        requireRunning(ref, task);
        tasks.pause(ref.name());
    }

    @Override
    public void resume(Ref ref) {
        require(ref);
        var task = tasks.find(ref.name());
        if (task != null && task.getStatus() == Status.PAUSED) {
            tasks.resume(ref.name());
            return;
        }
        requireRunning(ref, task);
    }

    static void requireRunning(Ref ref, @Nullable Process task) {
        if (task == null || task.getStatus() != Status.RUNNING) {
            throw HydraException.conflict("container `" + ref.name() + "` is not running; start it first");
        }
    }

    @Override
    public void delete(Operation operation, Ref ref) {
        operation.run(() -> remove(ref));
    }

    private void remove(Ref ref) {
        exclusively(ref.name(), () -> {
            var restart = restarts.remove(ref.id());
            if (restart != null) {
                restart.interrupt();
            }
            var container = find(ref.name());
            if (container != null && isOf(container, ref)) {
                kill(ref);
                containerd.find(
                        ContainersGrpc::newBlockingStub,
                        s -> s.delete(DeleteContainerRequest.newBuilder()
                                .setId(ref.name())
                                .build()));
            }
            disconnect(ref);
            containerd.find(
                    SnapshotsGrpc::newBlockingStub,
                    Duration.ofSeconds(60),
                    s -> s.remove(RemoveSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(ref.id().toString())
                            .build()));
            files.remove(ref.id());
            failures.remove(ref.id());
            known.remove(ref.name(), ref.id());
            removeBridge();
        });
        locks.remove(ref.name());
    }

    private void removeBridge() {
        bridge.writeLock().lock();
        try {
            if (ours().isEmpty()) {
                network.removeBridge();
            }
        } finally {
            bridge.writeLock().unlock();
        }
    }

    /** Kills and forgets the task, if there is one, and frees its address. */
    private void kill(Ref ref) {
        var name = ref.name();
        var task = tasks.find(name);
        if (task != null) {
            if (task.getStatus() == Status.PAUSED || task.getStatus() == Status.PAUSING) {
                tasks.resume(name);
            }
            if (task.getStatus() != Status.STOPPED) {
                tasks.kill(name, Tasks.SIGKILL, true);
                tasks.awaitEnd(name, KILL_LIMIT, _ -> {});
            }
            tasks.delete(name);
        }
        disconnect(ref);
    }

    private void disconnect(Ref ref) {
        var spec = files.spec(ref.id());
        if (spec != null) {
            network.disconnect(ref.name(), spec.ports(), files.network(ref.id()));
        }
    }

    @Override
    public Map<UUID, Observed> observe() {
        var running = tasks.all();
        var all = new HashMap<UUID, Observed>();
        for (var container : ours()) {
            var ref = ref(container);
            known.put(ref.name(), ref.id());
            all.put(ref.id(), observed(ref, container, running.get(ref.name())));
        }
        return all;
    }

    @Override
    public Map<UUID, Usage> usage() {
        var all = new HashMap<UUID, Usage>();
        tasks.usage("").forEach((name, u) -> {
            var id = known.get(name);
            if (id != null) {
                all.put(id, new Usage(u.cpuNanos(), u.memory()));
            }
        });
        return all;
    }

    private Observed observed(Ref ref, Container container, @Nullable Process task) {
        var labels = container.getLabelsMap();
        var address = emptyToNull(labels.getOrDefault(ADDRESS, ""));
        if (task != null) {
            switch (task.getStatus()) {
                case RUNNING -> {
                    return new Observed(ref, State.RUNNING, null, address);
                }
                case PAUSED, PAUSING -> {
                    return new Observed(ref, State.PAUSED, null, address);
                }
                case CREATED -> {
                    return new Observed(ref, State.STOPPED, "starting", null);
                }
                default -> {}
            }
        }
        var exit = task == null ? labels.getOrDefault(EXIT, "") : Integer.toString(task.getExitStatus());
        if (exit.isEmpty()) {
            return labels.getOrDefault(STARTED, "").isEmpty()
                    ? new Observed(ref, State.STOPPED, null, null)
                    : new Observed(ref, State.FAILED, "it ended while nobody looked", null);
        }
        var again = restarts.containsKey(ref.id()) ? "; it is started again in a moment" : "";
        if (!labels.getOrDefault(OOM, "").isEmpty() || (task != null && isOutOfMemory(task))) {
            return new Observed(ref, State.FAILED, "killed: out of memory" + limit(ref) + again, null);
        }
        var byUser = !labels.getOrDefault(STOPPED, "").isEmpty();
        var reason = "exited with " + exit + again;
        return new Observed(ref, exit.equals("0") || byUser ? State.STOPPED : State.FAILED, reason, null);
    }

    private String limit(Ref ref) {
        var spec = files.spec(ref.id());
        return spec == null || spec.memoryMib() == 0 ? "" : " (its limit is " + spec.memoryMib() + " MiB)";
    }

    // ---- what happens by itself

    private void heard(String name, boolean ended) {
        var id = known.get(name);
        if (id == null) {
            return;
        }
        try {
            if (ended) {
                exclusively(name, () -> {
                    var container = find(name);
                    if (container != null && isOf(container, new Ref(id, name))) {
                        settle(container, false);
                    }
                });
            }
        } catch (HydraException e) {
            log.debug("container {}: {}", name, e.text());
        }
        listener.changed(id);
    }

    /** Looks at all: after a time in which nothing could be heard. */
    private void reconcile() {
        try {
            for (var container : ours()) {
                var ref = ref(container);
                known.put(ref.name(), ref.id());
                exclusively(ref.name(), () -> {
                    var now = find(ref.name());
                    if (now != null && isOf(now, ref)) {
                        settle(now, false);
                    }
                });
            }
            known.values().forEach(listener::changed);
        } catch (HydraException e) {
            log.debug("not reconciled: {}", e.text());
        }
    }

    /** Of a container whose process has ended: keeps how, frees what it held, and starts it again where that is its policy. */
    private void settle(Container container, boolean byUser) {
        var ref = ref(container);
        var labels = container.getLabelsMap();
        var task = tasks.find(ref.name());
        if (task != null && task.getStatus() != Status.STOPPED) {
            return;
        }
        var exit = labels.getOrDefault(EXIT, "");
        var oom = !labels.getOrDefault(OOM, "").isEmpty();
        var stopped = byUser || !labels.getOrDefault(STOPPED, "").isEmpty();
        if (task != null) {
            oom = !byUser && isOutOfMemory(task);
            exit = Integer.toString(task.getExitStatus());
        }
        if (task != null || byUser) {
            // Before the task goes, so that who looks always finds one of the two.
            label(ref.name(), Map.of(EXIT, exit, OOM, oom ? "true" : "", STOPPED, stopped ? "true" : "", ADDRESS, ""));
            tasks.delete(ref.name());
        }
        disconnect(ref);
        var wasStarted = !labels.getOrDefault(STARTED, "").isEmpty();
        var spec = files.spec(ref.id());
        if (wasStarted && !stopped && spec != null && restart(spec.restart(), exit)) {
            restartLater(ref, spec, Instant.parse(labels.getOrDefault(STARTED, "")));
        }
    }

    /** Whether the kernel ended a task for want of memory: its cgroup counts that, and stays until the task is deleted. */
    private boolean isOutOfMemory(Process ended) {
        if (ended.getExitStatus() != 128 + Tasks.SIGKILL) {
            return false;
        }
        try {
            var usage = tasks.usage(ended.getId()).get(ended.getId());
            return usage != null && usage.oomKills() > 0;
        } catch (HydraException e) {
            log.debug("no figures of {}: {}", ended.getId(), e.text());
            return false;
        }
    }

    private static boolean restart(Restart policy, String exit) {
        return switch (policy) {
            case NO -> false;
            case ON_FAILURE -> !exit.equals("0");
            case ALWAYS -> true;
        };
    }

    /** Each failure in a row doubles the pause. */
    private void restartLater(Ref ref, ContainerSpec spec, Instant started) {
        var good = Duration.between(started, Instant.now()).compareTo(GOOD_RUN) >= 0;
        var inARow = good ? 0 : failures.getOrDefault(ref.id(), 0);
        failures.put(ref.id(), inARow + 1);
        var pause = FIRST_RESTART.multipliedBy(1L << Math.min(inARow, 16));
        var thread = Thread.ofVirtual().unstarted(() -> {
            try {
                Thread.sleep(pause.compareTo(LAST_RESTART) > 0 ? LAST_RESTART : pause);
                exclusively(ref.name(), () -> {
                    if (restarts.remove(ref.id(), Thread.currentThread())) {
                        restart(ref, spec);
                    }
                });
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            listener.changed(ref.id());
        });
        if (restarts.putIfAbsent(ref.id(), thread) == null) {
            thread.start();
        }
    }

    private void restart(Ref ref, ContainerSpec spec) {
        try {
            start(ref, spec);
        } catch (HydraException e) {
            log.warn("container {} could not be started again: {}", ref.name(), e.text());
            try {
                kill(ref);
            } catch (HydraException gone) {
                // When containerd is back, all is looked at again.
                return;
            }
            if (e.exitCode() != ExitCode.UNAVAILABLE) {
                restartLater(ref, spec, Instant.now());
            }
        }
    }

    // ---- into it

    @Override
    public List<String> shellCommand(Ref ref, InstanceSpec spec, Duration limit) {
        require(ref);
        var task = tasks.find(ref.name());
        if (task == null || task.getStatus() != Status.RUNNING) {
            return consoleCommand(ref);
        }
        return execCommand(
                ref,
                new Containers.Command(
                        List.of("/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh -i"),
                        List.of(),
                        null,
                        null));
    }

    @Override
    public Processes.Result exec(Ref ref, InstanceSpec spec, List<String> argv, byte[] input, Duration limit) {
        var container = require(ref);
        requireRunning(ref, tasks.find(ref.name()));
        var process =
                RuntimeSpec.exec(container.getSpec().getValue().toByteArray(), argv, List.of(), null, null, false);
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        // An interrupt is what ends a process that takes too long.
        var work = new FutureTask<Integer>(() -> {
            try (var exec = new Exec(containerd, ref.name(), run)) {
                return exec.run(process, new ByteArrayInputStream(input), out, err);
            }
        });
        Thread.ofVirtual().name("exec").start(work);
        try {
            var status = work.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            return new Processes.Result(
                    status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } catch (TimeoutException e) {
            throw HydraException.failed("`" + argv.getFirst() + "` did not end within " + limit.toSeconds() + " s");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof HydraException h
                    ? explain(h)
                    : HydraException.failed("cannot run `" + argv.getFirst() + "`: " + e.getMessage(), e);
        } finally {
            work.cancel(true);
        }
    }

    /**
     * The argv that runs a program in it on the terminal it is run on. By runc, which needs no containerd for it: the program lives
     * on when that dies, and ends with its terminal, leaving nothing. With ctr it is the other way round on both counts.
     */
    List<String> execCommand(Ref ref, Containers.Command command) {
        var runc = Processes.find("runc");
        var argv = new ArrayList<>(List.of(
                runc == null ? "runc" : runc.toString(),
                "--root",
                // Where containerd's shim has its runc keep what it knows, whatever containerd's own folders are.
                "/run/containerd/runc/" + containerd.namespace(),
                "exec",
                "--tty"));
        command.env().forEach(e -> argv.addAll(List.of("--env", e)));
        if (command.workdir() != null) {
            argv.addAll(List.of("--cwd", command.workdir()));
        }
        if (command.user() != null) {
            var user = users(ref).find(command.user());
            argv.addAll(List.of("--user", user.uid() + ":" + user.gid()));
            user.groups().forEach(g -> argv.addAll(List.of("--additional-gids", g.toString())));
        }
        argv.add(ref.name());
        argv.addAll(command.argv());
        return argv;
    }

    @Override
    public List<String> consoleCommand(Ref ref) {
        return List.of(
                "/bin/sh",
                "-c",
                "tail -n 200 -F -- \"$1\" 2>/dev/null | sed -u 's/^[^ ]* [^ ]* [FP] //'",
                "log",
                files.log(ref.id()).toString());
    }

    // ---- containerd's containers

    private List<Container> ours() {
        return containerd
                .call(
                        ContainersGrpc::newBlockingStub,
                        s -> s.list(ListContainersRequest.newBuilder()
                                .addFilters("labels.\"" + HOME + "\"==" + home)
                                .build()))
                .getContainersList();
    }

    @Nullable
    Container find(String name) {
        var found = containerd.find(
                ContainersGrpc::newBlockingStub,
                s -> s.get(GetContainerRequest.newBuilder().setId(name).build()));
        return found == null ? null : found.getContainer();
    }

    Container require(Ref ref) {
        var container = find(ref.name());
        if (container == null || !isOf(container, ref)) {
            throw HydraException.notFound(
                    "container `" + ref.name() + "` is no longer in containerd; delete it here and create it again");
        }
        return container;
    }

    private List<Mount> mounts(Container container) {
        return containerd
                .call(
                        SnapshotsGrpc::newBlockingStub,
                        s -> s.mounts(MountsRequest.newBuilder()
                                .setSnapshotter(container.getSnapshotter())
                                .setKey(container.getSnapshotKey())
                                .build()))
                .getMountsList();
    }

    /** The accounts it knows now. */
    UserDatabase users(Ref ref) {
        return new UserDatabase(layers(mounts(require(ref))));
    }

    private void label(String name, Map<String, String> labels) {
        containerd.call(
                ContainersGrpc::newBlockingStub,
                s -> s.update(UpdateContainerRequest.newBuilder()
                        .setContainer(Container.newBuilder().setId(name).putAllLabels(labels))
                        .setUpdateMask(com.google.protobuf.FieldMask.newBuilder()
                                .addAllPaths(labels.keySet().stream()
                                        .map(k -> "labels." + k)
                                        .toList()))
                        .build()));
    }

    private static boolean isOf(Container container, Ref ref) {
        return ref.id().toString().equals(container.getLabelsMap().get(ID));
    }

    private static Ref ref(Container container) {
        return new Ref(
                UUID.fromString(Objects.requireNonNull(container.getLabelsMap().get(ID))), container.getId());
    }

    /** The folders of the host that a root is laid together from, the upper ones first. */
    static List<Path> layers(List<Mount> mounts) {
        return mounts.stream()
                .flatMap(m -> m.getType().equals("overlay")
                        ? m.getOptionsList().stream()
                                .filter(o -> o.startsWith("lowerdir="))
                                .flatMap(o -> Stream.of(
                                        o.substring("lowerdir=".length()).split(":")))
                        : Stream.of(m.getSource()))
                .map(Path::of)
                .toList();
    }

    private static @Nullable String emptyToNull(String text) {
        return text.isEmpty() ? null : text;
    }

    private void exclusively(String name, Runnable work) {
        exclusively(name, () -> {
            work.run();
            return true;
        });
    }

    /** One thing at a time with a container: what a user asks for, and what follows from its end. */
    <T> T exclusively(String name, Supplier<T> work) {
        var lock = locks.computeIfAbsent(name, _ -> new ReentrantLock());
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    private static String sha256(String text) {
        try {
            return java.util.HexFormat.of()
                    .formatHex(java.security.MessageDigest.getInstance("SHA-256")
                            .digest(text.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
