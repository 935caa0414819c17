package dev.hydravisor.host;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Child processes, always from an argv: no shell ever sees what a user typed. */
public final class Processes {
    private Processes() {}

    /** How a child ended, and all it printed, as UTF-8. */
    public record Result(int status, String out, String err) {
        public boolean ok() {
            return status == 0;
        }

        /** The last line of stderr, or of stdout where that is empty: usually the reason. */
        public String reason() {
            var text = err.isBlank() ? out : err;
            return text.strip().lines().reduce("", (_, last) -> last);
        }
    }

    /**
     * Runs a program to its end, its standard input empty.
     *
     * @throws HydraException UNAVAILABLE when the program is not installed, FAILED when it outlasts {@code limit}, INTERRUPTED
     *     when this thread is interrupted; the child is killed in the last two cases
     */
    public static Result run(Duration limit, List<String> argv) {
        return run(limit, argv, new byte[0]);
    }

    /** As {@link #run(Duration, List)}, with {@code input} on its standard input. */
    public static Result run(Duration limit, List<String> argv, byte[] input) {
        return run(limit, argv, input, Map.of());
    }

    /** As {@link #run(Duration, List, byte[])}, with {@code environment} added to this process's own. */
    public static Result run(Duration limit, List<String> argv, byte[] input, Map<String, String> environment) {
        Process process;
        try {
            var builder = new ProcessBuilder(argv);
            builder.environment().putAll(environment);
            process = builder.start();
        } catch (IOException e) {
            throw HydraException.unavailable("cannot run `" + argv.getFirst() + "`; install it with bin/setup", e);
        }
        try {
            var out = drain(process.getInputStream());
            var err = drain(process.getErrorStream());
            try (var stdin = process.getOutputStream()) {
                stdin.write(input);
            } catch (IOException e) {
                // The child ended without reading all: its status says why.
            }
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw HydraException.failed("`" + argv.getFirst() + "` did not end within " + limit.toSeconds() + " s");
            }
            return new Result(process.exitValue(), out.join(), err.join());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } finally {
            process.destroyForcibly();
        }
    }

    /** As {@link #run(Duration, List)}; a status other than 0 is a FAILED error that carries the program's own reason. */
    public static String require(Duration limit, List<String> argv) {
        var result = run(limit, argv);
        if (!result.ok()) {
            throw HydraException.failed("`" + argv.getFirst() + "` failed: " + result.reason());
        }
        return result.out();
    }

    /** Where a program is found, by the PATH and where administrators' programs lie; null when it is not installed. */
    public static @Nullable Path find(String program) {
        var folders = System.getenv().getOrDefault("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin";
        return Stream.of(folders.split(":", -1))
                .filter(f -> !f.isEmpty())
                .map(f -> Path.of(f, program))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
    }

    private static CompletableFuture<String> drain(InputStream stream) {
        var result = new CompletableFuture<String>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                result.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                result.complete("");
            }
        });
        return result;
    }
}
