package dev.hydravisor.env;

import dev.hydravisor.standin.RegistryFront;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A registry on the loopback from {@code src/test/env/registry}, with the small images of {@code src/test/env/images} in it. */
public final class TestRegistry implements AutoCloseable {
    private final Path folder;
    private final String address;
    private @Nullable Process front;

    private TestRegistry(Path folder, String address) {
        this.folder = folder;
        this.address = address;
    }

    /** Starts one with the options of {@code registry up}; {@code login} is what to push the images with. */
    public static TestRegistry start(@Nullable String login, String... options) throws IOException {
        var folder = Files.createTempDirectory("hydra-registry-");
        var argv = new ArrayList<>(List.of("up", folder.toString()));
        argv.addAll(List.of(options));
        script("registry", argv);
        var address = Files.readString(folder.resolve("registry.env")).strip().substring("HYDRA_REGISTRY=".length());
        var registry = new TestRegistry(folder, address);
        var push = new ArrayList<>(List.of(address));
        if (login != null) {
            push.addAll(List.of("--dest-creds", login));
        }
        try {
            script("images", push);
        } catch (IOException | RuntimeException e) {
            registry.close();
            throw e;
        }
        return registry;
    }

    /** Host and port. */
    public String address() {
        return address;
    }

    public Path folder() {
        return folder;
    }

    /** Host and port of a {@link RegistryFront} before it. */
    public synchronized String front() throws IOException, InterruptedException {
        var port = folder.resolve("front.port");
        if (front == null) {
            var path = Files.readString(Path.of("target/test-classpath"));
            front = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx64m",
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            "target/test-classes:" + path,
                            RegistryFront.class.getName(),
                            "--port-file",
                            port.toString(),
                            "--upstream",
                            address,
                            "--parent-pid",
                            Long.toString(ProcessHandle.current().pid()))
                    .inheritIO()
                    .start();
        }
        while (!Files.exists(port)) {
            Thread.sleep(20);
        }
        return "127.0.0.1:" + Files.readString(port).strip();
    }

    @Override
    public void close() throws IOException {
        if (front != null) {
            front.destroy();
        }
        script("registry", List.of("down", folder.toString()));
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** Runs a script of {@code src/test/env} to its end. */
    public static String script(String name, List<String> arguments) throws IOException {
        var argv = new ArrayList<String>();
        argv.add(Path.of(System.getProperty("hydra.test.env", "src/test/env"), name)
                .toAbsolutePath()
                .toString());
        argv.addAll(arguments);
        return run(argv);
    }

    /** Runs a program to its end; what it prints on both its streams. */
    public static String run(List<String> argv) throws IOException {
        var process = new ProcessBuilder(argv).redirectErrorStream(true).start();
        process.getOutputStream().close();
        var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
                process.destroyForcibly();
                throw new IllegalStateException("failed: " + String.join(" ", argv) + "\n" + out);
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return out;
    }
}
