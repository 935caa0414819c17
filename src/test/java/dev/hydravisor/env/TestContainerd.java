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
import org.jspecify.annotations.Nullable;

/** A private containerd from {@code src/test/env/containerd}: one a JVM, up when first asked for, down when the JVM ends. Needs root. */
public final class TestContainerd {
    private static @Nullable TestContainerd shared;

    private final Path folder;
    private final Map<String, String> environment = new TreeMap<>();

    private TestContainerd() throws IOException {
        folder = Files.createTempDirectory("hydra-containerd-");
        TestRegistry.script("containerd", List.of("up", folder.toString()));
        for (var line : Files.readAllLines(folder.resolve("containerd.env"))) {
            var at = line.indexOf('=');
            environment.put(line.substring(0, at), line.substring(at + 1));
        }
    }

    /** The containerd of this JVM. Skips the calling test, saying why, where this user cannot have one. */
    public static synchronized TestContainerd shared() {
        assumeTrue(
                "root".equals(System.getProperty("user.name")),
                "containerd makes namespaces and mounts, which needs root");
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

    /** The path of its socket. */
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

    /** Kills it with SIGKILL; containers live on. */
    public void kill() {
        script("kill");
    }

    public void start() {
        script("start");
    }

    /** What ctr prints, about this containerd and its namespace. */
    public String ctr(String... arguments) {
        var all = new ArrayList<>(List.of("ctr", folder.toString()));
        all.addAll(List.of(arguments));
        try {
            return TestRegistry.script("containerd", all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String get(String variable) {
        var value = environment.get(variable);
        if (value == null) {
            throw new IllegalStateException(variable + " is missing in " + folder.resolve("containerd.env"));
        }
        return value;
    }

    private void script(String action) {
        try {
            TestRegistry.script("containerd", List.of(action, folder.toString()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void close() {
        script("down");
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
