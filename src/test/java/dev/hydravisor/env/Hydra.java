package dev.hydravisor.env;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** {@code bin/hydra} as a user runs it, with a home of its own; what runs in there ends with it. */
public final class Hydra implements AutoCloseable {
    private static final int LIMIT_MINUTES = 5;

    private final Path home;
    private final Map<String, String> environment = new TreeMap<>();

    /** How a command ended and what it printed. */
    public record Ended(int status, String out, String err) {}

    private Hydra(Path home, Map<String, String> environment) {
        this.home = home;
        this.environment.putAll(environment);
        this.environment.put("HYDRA_HOME", home.toString());
        this.environment.put("LANG", "C.UTF-8");
    }

    /** A fresh home; {@code environment} is added to what its commands see. */
    public static Hydra start(Map<String, String> environment) {
        try {
            return new Hydra(Files.createTempDirectory("hydra-home-"), environment);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public Path home() {
        return home;
    }

    /** What a process needs in its environment to be a client of this home. */
    public Map<String, String> environment() {
        return Map.copyOf(environment);
    }

    /** The argv of a command. */
    public static List<String> argv(String... arguments) {
        var argv = new ArrayList<String>();
        argv.add(Path.of("bin/hydra").toAbsolutePath().toString());
        argv.addAll(List.of(arguments));
        return argv;
    }

    /** Runs a command without a terminal, nothing on its standard input. */
    public Ended run(String... arguments) {
        return runWith("", arguments);
    }

    /** As {@link #run}, with this on standard input. */
    public Ended runWith(String input, String... arguments) {
        try {
            var process = process(arguments).start();
            var out = text(process.getInputStream());
            var err = text(process.getErrorStream());
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // It did not want all of it.
            }
            if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new AssertionError(
                        "no end: hydra " + String.join(" ", arguments) + "\n" + out.join() + err.join());
            }
            return new Ended(process.exitValue(), out.join(), err.join());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Runs a command that must succeed; returns its standard output. */
    public String ok(String... arguments) {
        var ended = run(arguments);
        if (ended.status() != 0) {
            throw new AssertionError("hydra " + String.join(" ", arguments) + " ended with " + ended.status() + ":\n"
                    + ended.err() + ended.out());
        }
        return ended.out();
    }

    /** A command that is not started yet. */
    public ProcessBuilder process(String... arguments) {
        var builder = new ProcessBuilder(argv(arguments));
        builder.environment().putAll(environment);
        builder.environment().remove("TMUX");
        return builder;
    }

    /** The daemon of this home. */
    public ProcessHandle daemon() {
        try {
            var pid = Files.readString(home.resolve("run/hydrad.pid"));
            return ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Kills the daemon with SIGKILL and waits until it is gone. */
    public void killDaemon() {
        var daemon = daemon();
        daemon.destroyForcibly();
        daemon.onExit().join();
    }

    /** What a tmux command prints on the server of this home's workspaces. */
    public String tmux(String... arguments) {
        var argv = new ArrayList<>(
                List.of("tmux", "-S", home.resolve("run/tmux.sock").toString()));
        argv.addAll(List.of(arguments));
        try {
            var process = new ProcessBuilder(argv).redirectErrorStream(true).start();
            process.getOutputStream().close();
            return text(process.getInputStream()).join();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        tmux("kill-server");
        run("daemon", "stop");
        try (var files = Files.walk(home)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static CompletableFuture<String> text(InputStream stream) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try (stream) {
                        return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
                    } catch (IOException e) {
                        return "";
                    }
                },
                task -> Thread.ofVirtual().start(task));
    }
}
