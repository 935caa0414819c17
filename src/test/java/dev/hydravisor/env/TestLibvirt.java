package dev.hydravisor.env;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A private libvirt in a network namespace of its own, from {@code src/test/env/libvirt}: one a JVM, up when first asked for,
 * down when the JVM ends. Needs root.
 */
public final class TestLibvirt {
    private static @Nullable TestLibvirt shared;

    private final Path folder;
    private final Map<String, String> environment = new TreeMap<>();

    private TestLibvirt() throws IOException {
        folder = Files.createTempDirectory("hydra-libvirt-");
        run("libvirt", "up", folder.toString());
        for (var line : Files.readAllLines(folder.resolve("env"))) {
            var at = line.indexOf('=');
            environment.put(line.substring(0, at), line.substring(at + 1));
        }
    }

    /** The libvirt of this JVM. Skips the calling test, saying why, where this user cannot have one. */
    public static synchronized TestLibvirt shared() {
        assumeTrue(
                "root".equals(System.getProperty("user.name")),
                "the test libvirt makes network namespaces, which needs root");
        if (shared == null) {
            try {
                var libvirt = new TestLibvirt();
                Runtime.getRuntime().addShutdownHook(new Thread(libvirt::close));
                shared = libvirt;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return shared;
    }

    public String uri() {
        return get("HYDRA_LIBVIRT_URI");
    }

    /** The network namespace its guests are in. */
    public String netns() {
        return get("HYDRA_NETNS");
    }

    /** What a process needs in its environment to use it. */
    public Map<String, String> environment() {
        return Map.copyOf(environment);
    }

    /** A folder for the disks of its guests, gone when the JVM ends. */
    public Path folder(String name) {
        return folder.resolve("disks").resolve(name);
    }

    /** Kills libvirtd alone, with SIGKILL; guests live on. */
    public void kill() {
        run("libvirt", "kill", folder.toString());
    }

    public void start() {
        run("libvirt", "start", folder.toString());
    }

    /** The process of libvirtd. */
    public ProcessHandle daemon() {
        try {
            var pid = Long.parseLong(
                    Files.readString(folder.resolve("run/libvirtd.pid")).strip());
            return ProcessHandle.of(pid).orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A small bootable guest as a qcow2 image, read-only. */
    public static Path guest() {
        return Path.of(run("guest").strip());
    }

    /** What virsh prints. */
    public String virsh(String... arguments) {
        var argv = new ArrayList<>(List.of("virsh", "-q", "-c", uri()));
        argv.addAll(List.of(arguments));
        return execute(argv);
    }

    private String get(String variable) {
        var value = environment.get(variable);
        if (value == null) {
            throw new IllegalStateException(variable + " is missing in " + folder.resolve("env"));
        }
        return value;
    }

    private void close() {
        run("libvirt", "down", folder.toString());
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String run(String script, String... arguments) {
        var argv = new ArrayList<String>();
        argv.add(Path.of(System.getProperty("hydra.test.env", "src/test/env"), script)
                .toAbsolutePath()
                .toString());
        argv.addAll(List.of(arguments));
        return execute(argv);
    }

    private static String execute(List<String> argv) {
        try {
            var process = new ProcessBuilder(argv)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            process.getOutputStream().close();
            var out = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
                process.destroyForcibly();
                throw new IllegalStateException("failed: " + String.join(" ", argv) + "\n" + out);
            }
            return out;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
