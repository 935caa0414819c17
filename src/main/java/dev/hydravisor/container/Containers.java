package dev.hydravisor.container;

import dev.hydravisor.container.containerd.api.TaskProto.Status;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.OciImages;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;

/** What can be done with a container and not with every instance: its log, its processes, one more process in it. */
@Service
public class Containers {
    private final InstanceService instances;
    private final ContainerBackend backend;
    private final OciImages images;
    private final HydraHome home;
    private final Guard guard;

    public Containers(
            InstanceService instances, ContainerBackend backend, OciImages images, HydraHome home, Guard guard) {
        this.images = images;
        this.instances = instances;
        this.backend = backend;
        this.home = home;
        this.guard = guard;
    }

    /**
     * Gives what the main process printed, over all its runs, the oldest first.
     *
     * @param tail how many of the last lines; negative for all
     * @param since only what was printed then or later; null for all
     * @param follow whether to go on until the process ends or this thread is interrupted
     * @throws HydraException NOT_FOUND; INTERRUPTED
     */
    public void logs(String name, long tail, @Nullable Instant since, boolean follow, Consumer<LogEntry> entries) {
        var ref = ref(name);
        // A task that has ended is there until its last words are written.
        BooleanSupplier goesOn = () -> {
            var task = backend.tasks().find(ref.name());
            return task != null && (follow || task.getStatus() == Status.STOPPED);
        };
        try {
            Logs.read(backend.files().log(ref.id()), tail, since, goesOn, entries);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    /**
     * One more process.
     *
     * @param env each as {@code NAME=value}
     * @param user as {@code user[:group]}; null for the container's
     * @param workdir absolute; null for the container's
     */
    public record Command(
            List<String> argv,
            List<String> env,
            @Nullable String user,
            @Nullable String workdir) {}

    /**
     * Runs a process in a running container to its end. An interrupt kills it.
     *
     * @param in its standard input; null for none
     * @return its exit status
     * @throws HydraException CONFLICT when the container does not run; FAILED when there is no such program
     */
    public int exec(String name, Command command, @Nullable InputStream in, OutputStream out, OutputStream err) {
        return guard.act(execution(name, command), () -> run(name, command, in, out, err));
    }

    /** What a process in a container is, for the policy. */
    public Action execution(String name, Command command) {
        return instances.action("exec", name).subject(String.join(" ", command.argv()));
    }

    private int run(String name, Command command, @Nullable InputStream in, OutputStream out, OutputStream err) {
        var ref = ref(name);
        var spec = requireRunning(ref).getSpec().getValue().toByteArray();
        var process = RuntimeSpec.exec(
                spec,
                command.argv(),
                command.env(),
                command.user() == null ? null : backend.users(ref).find(command.user()),
                command.workdir(),
                false);
        try (var exec = new Exec(backend.containerd(), ref.name(), home.run())) {
            return exec.run(process, in, out, err);
        } catch (HydraException e) {
            throw ContainerBackend.explain(e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The argv that runs a process in a running container on the terminal it is run on. */
    public List<String> execCommand(String name, Command command) {
        var ref = ref(name);
        requireRunning(ref);
        return guard.act(execution(name, command), () -> backend.execCommand(ref, command));
    }

    /**
     * What a running container uses.
     *
     * @param cpu in processors, over the time measured
     * @param memory bytes
     * @param memoryLimit bytes; 0 when it has none
     */
    public record Usage(String name, double cpu, long memory, long memoryLimit, long pids) {}

    /** What the running containers use, by name; takes {@code interval} milliseconds to measure. */
    public List<Usage> usage(@Nullable String name, long interval) {
        if (name != null) {
            requireRunning(ref(name));
        }
        var all = instances.list().stream()
                .filter(i ->
                        i.kind() == Kind.CONTAINER && (name == null || i.name().equals(name)))
                .map(Instance::name)
                .toList();
        if (all.isEmpty()) {
            return List.of();
        }
        var start = System.nanoTime();
        var before = backend.tasks().usage(name == null ? "" : name);
        try {
            Thread.sleep(interval);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
        var after = backend.tasks().usage(name == null ? "" : name);
        double elapsed = System.nanoTime() - start;
        var usages = new ArrayList<Usage>();
        for (var container : all) {
            var then = before.get(container);
            var now = after.get(container);
            if (then != null && now != null) {
                usages.add(new Usage(
                        container,
                        Math.max(0, now.cpuNanos() - then.cpuNanos()) / elapsed,
                        now.memory(),
                        now.memoryLimit(),
                        now.pids()));
            }
        }
        return usages;
    }

    /**
     * A process of a container.
     *
     * @param pid on the host
     * @param user on the host, a number
     * @param rss bytes
     */
    public record ContainerProcess(int pid, long user, String state, long rss, String command) {}

    /** The processes of a running container. */
    public List<ContainerProcess> processes(String name) {
        var ref = ref(name);
        requireRunning(ref);
        return backend.tasks().pids(ref.name()).stream()
                .flatMap(pid -> java.util.stream.Stream.ofNullable(process(pid)))
                .toList();
    }

    /** Null for one that has just ended. */
    private static @Nullable ContainerProcess process(int pid) {
        var proc = Path.of("/proc", Integer.toString(pid));
        try {
            var status = new java.util.HashMap<String, String>();
            for (var line : Files.readAllLines(proc.resolve("status"), StandardCharsets.ISO_8859_1)) {
                var parts = line.split(":\\s*", 2);
                if (parts.length == 2) {
                    status.put(parts[0], parts[1].strip());
                }
            }
            var command = new String(Files.readAllBytes(proc.resolve("cmdline")), StandardCharsets.UTF_8)
                    .replace('\0', ' ')
                    .strip();
            return new ContainerProcess(
                    pid,
                    Long.parseLong(status.getOrDefault("Uid", "0").split("\\s")[0]),
                    status.getOrDefault("State", "?"),
                    Long.parseLong(status.getOrDefault("VmRSS", "0 kB").split(" ")[0]) << 10,
                    command.isEmpty() ? "[" + status.getOrDefault("Name", "") + "]" : command);
        } catch (IOException e) {
            return null;
        }
    }

    /**
     * Makes an image of a container as it is now, paused meanwhile where it runs.
     *
     * @param image the new one's name
     * @return its full name
     */
    public String commit(Operation operation, String name, String image) {
        var ref = ref(name);
        var container = backend.require(ref);
        return guard.act(operation, instances.action("commit", name), () -> {
            var task = backend.tasks().find(ref.name());
            var runs = task != null && task.getStatus() == Status.RUNNING;
            if (runs) {
                operation.stage("pausing", () -> backend.pause(ref));
            }
            try {
                return images.commit(operation, container.getImage(), container.getSnapshotKey(), image)
                        .name();
            } finally {
                if (runs) {
                    resume(ref);
                }
            }
        });
    }

    /** Also on an interrupted thread. */
    private void resume(Ref ref) {
        var interrupted = Thread.interrupted();
        try {
            backend.resume(ref);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /**
     * Copies a file or folder out of a running container, to {@code to}, or into it where that is a folder.
     *
     * @throws HydraException NOT_FOUND when it is not there; CONFLICT when a folder would have to be replaced
     */
    public void copyOut(Operation operation, String name, String from, Path to) {
        var base = Path.of(from).getFileName();
        var target = Files.isDirectory(to) && base != null ? to.resolve(base) : to;
        var parent = target.toAbsolutePath().getParent();
        if (base == null || parent == null) {
            throw HydraException.usage(
                    "`" + PlainText.shorten(from) + "` cannot be copied; name a file or folder below it");
        }
        if (!Files.isDirectory(parent)) {
            throw HydraException.notFound("there is no folder `" + parent + "` to copy into; make it first");
        }
        if (Files.isDirectory(target)) {
            throw HydraException.conflict("`" + target + "` is there already; remove it, or copy elsewhere");
        }
        guard.<@Nullable Void>act(
                operation,
                copying(name, to),
                () -> operation.stage("copying", () -> {
                    // Into a folder of its own first: half a copy is never seen under the name asked for.
                    var folder = Files.createTempDirectory(parent, ".hydra-cp-");
                    try {
                        var tar = new ProcessBuilder("tar", "-xf", "-", "--no-same-owner", "-C", folder.toString())
                                .start();
                        try (var into = tar.getOutputStream()) {
                            var source = Path.of("/").resolve(from).normalize();
                            tar(
                                    name,
                                    List.of("tar", "-C", "" + source.getParent(), "-cf", "-", "--", "" + base),
                                    null,
                                    into);
                        } finally {
                            finish(tar);
                        }
                        Files.move(folder.resolve(base), target, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                    } finally {
                        remove(folder);
                    }
                    return null;
                }));
    }

    /**
     * What a copy is, for the policy.
     *
     * @param here the file or folder of this host
     */
    public Action copying(String name, Path here) {
        return instances
                .action("cp", name)
                .subject(here.toString())
                .takes(0, 0, 0, List.of(), List.of(here.toAbsolutePath().toString()), List.of());
    }

    /** Copies a file or folder of this host into a running container, to {@code to}, or into it where that is a folder. */
    public void copyIn(Operation operation, String name, Path from, String to) {
        var base = from.getFileName();
        if (base == null) {
            throw HydraException.usage("`" + from + "` cannot be copied; name a file or folder below it");
        }
        guard.<@Nullable Void>act(
                operation,
                copying(name, from),
                () -> operation.stage("copying", () -> {
                    var tar =
                            new ProcessBuilder("tar", "-C", "" + from.getParent(), "-cf", "-", "--", "" + base).start();
                    try {
                        var target = Path.of("/").resolve(to).normalize();
                        // What is typed reaches the shell as arguments, never as a part of the script.
                        tar(
                                name,
                                List.of(
                                        "sh",
                                        "-c",
                                        "[ ! -d \"$3\" ] || { tar -xof - -C \"$3\"; exit; }; mkdir \"$1\" || exit;"
                                                + " tar -xof - -C \"$1\" && mv \"$1/$2\" \"$3\"; s=$?; rm -rf \"$1\"; exit $s",
                                        "sh",
                                        target.resolveSibling(".hydra-cp-" + UUID.randomUUID())
                                                .toString(),
                                        base.toString(),
                                        target.toString()),
                                tar.getInputStream(),
                                OutputStream.nullOutputStream());
                    } finally {
                        tar.getInputStream().close();
                        finish(tar);
                    }
                    return null;
                }));
    }

    /** Runs a program in the container whose error is one of the copy. */
    private void tar(String name, List<String> argv, @Nullable InputStream in, OutputStream out) {
        var err = new ByteArrayOutputStream();
        var status = run(name, new Command(argv, List.of(), "0:0", "/"), in, out, err);
        if (status != 0) {
            var reason = err.toString(StandardCharsets.UTF_8).strip().lines().reduce("", (_, last) -> last);
            throw HydraException.failed(
                    "cannot copy: " + PlainText.safe(reason.isEmpty() ? "status " + status : reason));
        }
    }

    private static void finish(Process tar) throws IOException, InterruptedException {
        if (!tar.waitFor(10, TimeUnit.SECONDS)) {
            tar.destroyForcibly();
        }
    }

    private static void remove(Path folder) throws IOException {
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    private dev.hydravisor.container.containerd.api.ContainersProto.Container requireRunning(Ref ref) {
        var container = backend.require(ref);
        ContainerBackend.requireRunning(ref, backend.tasks().find(ref.name()));
        return container;
    }

    private Ref ref(String name) {
        if (instances.kind(name) != Kind.CONTAINER) {
            throw HydraException.usage("`" + PlainText.shorten(name) + "` is a VM; this is for containers");
        }
        return instances.ref(name);
    }
}
