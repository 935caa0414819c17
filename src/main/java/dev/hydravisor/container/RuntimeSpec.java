package dev.hydravisor.container;

import dev.hydravisor.image.OciImage;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.ContainerSpec.Network;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The OCI runtime document of a container: containerd's own default isolation (dropped capabilities, no new privileges, masked and
 * read-only paths, the default seccomp profile; see {@code runtime-spec.json}), and in it what the image and the user ask for.
 */
final class RuntimeSpec {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final JsonNode DEFAULT = load();
    private static final String PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static final int CPU_PERIOD = 100_000;
    private static final Set<String> SHELLS = Set.of("sh", "bash", "ash", "dash", "zsh", "ksh");

    private RuntimeSpec() {}

    /**
     * The whole document.
     *
     * @param files of ours, by the path in the container that each is to be seen at
     */
    static byte[] of(
            String hostname,
            String cgroup,
            ContainerSpec spec,
            OciImage.Config image,
            UserDatabase.User user,
            Map<String, Path> files) {
        var root = (ObjectNode) DEFAULT.deepCopy();
        root.put("hostname", hostname);
        ((ObjectNode) root.path("root")).put("readonly", spec.readOnly());
        process(root, spec, image, user);
        mounts(root, spec, files);
        linux((ObjectNode) root.path("linux"), cgroup, spec);
        if (spec.network() == Network.HOST) {
            // Its name is the host's, or what it says of itself would resolve to nothing.
            root.remove("hostname");
        }
        return JSON.writeValueAsBytes(root);
    }

    /** The argv of the main process. */
    static List<String> argv(ContainerSpec spec, OciImage.Config image) {
        var entrypoint = spec.entrypoint() == null ? image.entrypoint() : List.of(spec.entrypoint());
        // As Docker has it: the image's command belongs to the image's entrypoint.
        var command = spec.command().isEmpty() && spec.entrypoint() == null ? image.cmd() : spec.command();
        var argv = new ArrayList<>(entrypoint);
        argv.addAll(command);
        if (argv.isEmpty()) {
            throw HydraException.usage(
                    "image `" + spec.image() + "` says no command; give one after `--`, such as `-- sleep infinity`");
        }
        var isImages = spec.entrypoint() == null && spec.command().isEmpty();
        if (isImages && argv.size() == 1 && SHELLS.contains(baseName(argv.getFirst()))) {
            // A shell without a terminal ends at once. What is wanted of such an image is a machine to open shells in.
            argv.add("-c");
            argv.add("trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done");
        }
        return argv;
    }

    private static void process(ObjectNode root, ContainerSpec spec, OciImage.Config image, UserDatabase.User user) {
        var process = (ObjectNode) root.path("process");
        argv(spec, image).forEach(process.putArray("args")::add);
        var workdir = spec.workdir() == null ? image.workdir() : spec.workdir();
        process.put("cwd", workdir.isEmpty() ? "/" : workdir);
        var env = new LinkedHashMap<String, String>();
        put(env, PATH);
        put(env, "HOME=" + user.home());
        // ctr cannot give one to an exec, and whoever needs it is at a terminal.
        put(env, "TERM=xterm-256color");
        image.env().forEach(e -> put(env, e));
        spec.env().forEach(e -> put(env, e));
        env.values().forEach(process.putArray("env")::add);
        var ids = process.putObject("user").put("uid", user.uid()).put("gid", user.gid());
        user.groups().forEach(ids.putArray("additionalGids")::add);
    }

    private static void put(Map<String, String> env, String entry) {
        env.put(entry.split("=", 2)[0], entry);
    }

    private static void mounts(ObjectNode root, ContainerSpec spec, Map<String, Path> files) {
        var mounts = root.withArray("mounts");
        files.forEach((target, file) -> mounts.addObject()
                .put("destination", target)
                .put("type", "bind")
                .put("source", file.toString())
                .putArray("options")
                .add("rbind")
                .add("rprivate")
                .add("rw"));
        for (var mount : spec.mounts()) {
            mounts.addObject()
                    .put("destination", mount.target())
                    .put("type", "bind")
                    .put("source", mount.source())
                    .putArray("options")
                    .add("rbind")
                    .add("rprivate")
                    .add(mount.readOnly() ? "ro" : "rw");
        }
    }

    private static void linux(ObjectNode linux, String cgroup, ContainerSpec spec) {
        linux.put("cgroupsPath", cgroup);
        var namespaces = linux.withArray("namespaces");
        if (spec.network() == Network.HOST) {
            for (int i = 0; i < namespaces.size(); i++) {
                if ("network".equals(namespaces.get(i).path("type").asString(""))) {
                    namespaces.remove(i);
                    break;
                }
            }
        }
        if (isCgroup2()) {
            namespaces.addObject().put("type", "cgroup");
        }
        var resources = (ObjectNode) linux.path("resources");
        if (spec.cpus() > 0) {
            resources
                    .putObject("cpu")
                    .put("quota", Math.round(spec.cpus() * CPU_PERIOD))
                    .put("period", CPU_PERIOD);
        }
        if (spec.memoryMib() > 0) {
            var bytes = spec.memoryMib() << 20;
            var memory = resources.putObject("memory").put("limit", bytes);
            if (isSwapLimited()) {
                // The limit is one of memory and swap together: a limit that swaps is none.
                memory.put("swap", bytes);
            }
        }
        if (spec.pids() > 0) {
            resources.putObject("pids").put("limit", spec.pids());
        }
    }

    static boolean isCgroup2() {
        return Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
    }

    private static boolean isSwapLimited() {
        return isCgroup2() || Files.exists(Path.of("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"));
    }

    private static String baseName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** The process of an exec, in the place of the main one. */
    static byte[] exec(
            byte[] container,
            List<String> argv,
            List<String> env,
            UserDatabase.@Nullable User user,
            @Nullable String workdir,
            boolean terminal) {
        var process = (ObjectNode) JSON.readTree(container).path("process");
        var args = process.putArray("args");
        argv.forEach(args::add);
        env.forEach(process.withArray("env")::add);
        if (workdir != null) {
            process.put("cwd", workdir);
        }
        if (user != null) {
            var ids = process.putObject("user").put("uid", user.uid()).put("gid", user.gid());
            user.groups().forEach(ids.putArray("additionalGids")::add);
        }
        process.put("terminal", terminal);
        return JSON.writeValueAsBytes(process);
    }

    private static JsonNode load() {
        try (var in = RuntimeSpec.class.getResourceAsStream("runtime-spec.json")) {
            if (in == null) {
                throw new IllegalStateException("runtime-spec.json is not in this program");
            }
            return JSON.readTree(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
