package dev.hydravisor.env;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
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
 * A private containerd with an image of busybox, from {@code src/test/env/containerd}: one a JVM, up when first asked for, down when
 * the JVM ends. Needs root.
 */
public final class TestContainerd {
    /** An image of busybox and nothing else; its command is {@code sh}, its users are root and {@code guest} (1000). */
    public static final String IMAGE = "docker.io/library/busybox:latest";

    private static @Nullable TestContainerd shared;

    private final Path folder;
    private final Map<String, String> environment = new TreeMap<>();

    private TestContainerd() throws IOException {
        folder = Files.createTempDirectory("hydra-containerd-");
        run("up", folder.toString());
        for (var line : Files.readAllLines(folder.resolve("containerd.env"))) {
            var at = line.indexOf('=');
            environment.put(line.substring(0, at), line.substring(at + 1));
        }
        run("image", folder.toString(), IMAGE);
    }

    /** The containerd of this JVM. Skips the calling test, saying why, where this user cannot have one. */
    public static synchronized TestContainerd shared() {
        assumeTrue("root".equals(System.getProperty("user.name")), "containerd mounts file systems, which needs root");
        if (shared == null) {
            try {
                var containerd = new TestContainerd();
                Runtime.getRuntime().addShutdownHook(new Thread(containerd::close));
                shared = containerd;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return shared;
    }

    public String address() {
        return get("HYDRA_CONTAINERD_ADDRESS");
    }

    public String namespace() {
        return get("HYDRA_CONTAINERD_NAMESPACE");
    }

    /** What a process needs in its environment to use it. */
    public Map<String, String> environment() {
        return Map.copyOf(environment);
    }

    /** Kills containerd alone, with SIGKILL; containers live on. */
    public void kill() {
        run("kill", folder.toString());
    }

    public void start() {
        run("start", folder.toString());
    }

    /** What ctr prints. */
    public String ctr(String... arguments) {
        var argv = new ArrayList<>(List.of("ctr", folder.toString()));
        argv.addAll(List.of(arguments));
        return run(argv.toArray(String[]::new));
    }

    private String get(String variable) {
        var value = environment.get(variable);
        if (value == null) {
            throw new IllegalStateException(variable + " is missing in " + folder.resolve("containerd.env"));
        }
        return value;
    }

    private void close() {
        run("down", folder.toString());
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String run(String... arguments) {
        var argv = new ArrayList<String>();
        argv.add(Path.of(System.getProperty("hydra.test.env", "src/test/env"), "containerd")
                .toAbsolutePath()
                .toString());
        argv.addAll(List.of(arguments));
        try {
            var process = new ProcessBuilder(argv)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            process.getOutputStream().close();
            var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(2, TimeUnit.MINUTES) || process.exitValue() != 0) {
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
