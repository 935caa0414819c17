package dev.hydravisor.standin;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * {@link OllamaStandIn} or {@link BedrockStandIn} as a process of its own, for tests: started on any free port, stopped or killed at will, and
 * started again where its clients expect it. It ends with the JVM that started it, whatever ends that.
 */
public final class StandInProcess implements AutoCloseable {

    private static final String LISTENING = "listening on ";
    private static final long PATIENCE_SECONDS = 20;

    private final Class<?> program;
    private final List<String> options;
    private final Path work;
    private Process process;
    private String url;

    private StandInProcess(Class<?> program, List<String> options, Path work) {
        this.program = program;
        this.options = options;
        this.work = work;
    }

    /** Starts one with options of {@link OllamaStandIn}; without any, it has the scripted models alone. */
    public static StandInProcess start(String... options) throws IOException {
        return start(OllamaStandIn.class, options);
    }

    /** Starts one of Bedrock. */
    public static StandInProcess startBedrock() throws IOException {
        return start(BedrockStandIn.class);
    }

    private static StandInProcess start(Class<?> program, String... options) throws IOException {
        Path work = Files.createTempDirectory("standin-process-");
        StandInProcess standIn = new StandInProcess(program, List.of(options), work);
        try {
            standIn.launch("0");
        } catch (IOException | RuntimeException e) {
            standIn.close();
            throw e;
        }
        return standIn;
    }

    /** Starts one with the scripted models and the tiny real one. */
    public static StandInProcess startWithTinyModel() throws IOException {
        return start("--model-file", tinyModel().toString());
    }

    /** The tiny model's file in the source tree. */
    public static Path tinyModel() {
        Path base = Path.of(System.getProperty("basedir", ""));
        return base.resolve("src/test/env/tinychat/tinychat.gguf").toAbsolutePath();
    }

    private void launch(String port) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classPath(),
                program.getName()));
        command.addAll(List.of("--port", port));
        command.addAll(
                List.of("--parent-pid", Long.toString(ProcessHandle.current().pid())));
        command.addAll(List.of("--work", work.resolve("work").toString()));
        command.addAll(List.of("--journal", journal().toString()));
        command.addAll(options);
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.appendTo(log().toFile()))
                .start();
        BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
        String line = output.readLine();
        if (line == null || !line.startsWith(LISTENING)) {
            process.destroyForcibly();
            throw new IOException("the stand-in did not start: " + Files.readString(log()));
        }
        Thread.ofVirtual().name("stand-in output").start(() -> drain(output));
        url = line.substring(LISTENING.length());
    }

    /** What the stand-in needs of this JVM's class path: every folder and jar, absolute. */
    private static String classPath() {
        return String.join(
                File.pathSeparator,
                Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                        .map(entry -> Path.of(entry).toAbsolutePath().toString())
                        .toList());
    }

    private static void drain(BufferedReader output) {
        try {
            while (output.readLine() != null) {
                // Only the first line matters; the rest must not fill the pipe.
            }
        } catch (IOException e) {
            // The process is gone.
        }
    }

    /** Where it listens, as {@code OLLAMA_HOST} wants it: {@code http://127.0.0.1:PORT}. */
    public String url() {
        return url;
    }

    public int port() {
        return Integer.parseInt(url.substring(url.lastIndexOf(':') + 1));
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** What it printed to its standard error so far. */
    public Path log() {
        return work.resolve("stderr.log");
    }

    private Path journal() {
        return work.resolve("journal.ndjson");
    }

    /** Every request so far, and every client that left in mid-answer; see {@code --journal}. */
    public List<JsonNode> requests() {
        try {
            String whole = Files.exists(journal()) ? Files.readString(journal()) : "";
            // A line without its end is still being written.
            return whole.substring(0, whole.lastIndexOf('\n') + 1)
                    .lines()
                    .map(Wire.JSON::readTree)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The bodies of the requests to one route so far. */
    public List<JsonNode> requests(String path) {
        return requests().stream()
                .filter(request ->
                        request.has("method") && request.path("path").asString().equals(path))
                .map(request -> request.path("body"))
                .toList();
    }

    /** Stops it as SIGTERM does and returns its exit status. */
    public int stop() {
        process.destroy();
        return await();
    }

    /** Kills it, so that its clients see their connections reset. */
    public void kill() {
        process.destroyForcibly();
        await();
    }

    /**
     * Starts it again on the port it had, stopping it before if need be; what it downloaded or deleted is forgotten.
     */
    public void restart() throws IOException {
        if (process.isAlive()) {
            stop();
        }
        launch(Integer.toString(port()));
    }

    private int await() {
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while the stand-in ends", e);
        }
    }

    @Override
    public void close() {
        if (process != null && process.isAlive()) {
            stop();
        }
        try (Stream<Path> all = Files.walk(work)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
