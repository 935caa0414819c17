package dev.hydravisor.env;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * A tmux server of a test's own, on a private socket: programs run in its panes as a user would run them. Closing it ends the server
 * and what ran in it.
 *
 * <pre>{@code
 * try (var tmux = Tmux.start(Map.of("HYDRA_HOME", home.toString()))) {
 *     var pane = tmux.newSession(100, 30, List.of("bin/hydra"));
 *     pane.waitFor("hydra>");
 *     pane.type("vm li").keys("Tab").waitFor("vm list");
 * }
 * }</pre>
 */
public final class Tmux implements AutoCloseable {
    /** How long a screen may take to show what is waited for, unless told otherwise. */
    public static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Path folder;
    private final Map<String, String> environment;
    private int sessions;

    private Tmux(Path folder, Map<String, String> environment) {
        this.folder = folder;
        this.environment = environment;
    }

    /** A server without sessions; programs in it get a plain UTF-8 environment and these variables. */
    public static Tmux start(Map<String, String> environment) {
        try {
            // Short, for a socket's path has room for some hundred bytes.
            var folder = Files.createTempDirectory("tmux-");
            Files.writeString(folder.resolve("tmux.conf"), """
                    set -g default-terminal tmux-256color
                    set -g status off
                    set -g exit-empty off
                    set -g remain-on-exit on
                    set -g remain-on-exit-format ''
                    set -sg escape-time 10
                    set -g history-limit 100000
                    """);
            var tmux = new Tmux(folder, environment);
            tmux.run("start-server");
            return tmux;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static Tmux start() {
        return start(Map.of());
    }

    /** True where tmux is installed. */
    public static boolean installed() {
        return Files.isExecutable(Path.of("/usr/bin/tmux")) || Files.isExecutable(Path.of("/usr/local/bin/tmux"));
    }

    /** Starts a program in a terminal of its own. When it ends the pane stays, so that its last words can be read. */
    public Pane newSession(int cols, int rows, List<String> argv) {
        return newSession(cols, rows, argv, List.of());
    }

    /**
     * As {@link #newSession(int, int, List)}, its output piped into a recorder from its first byte.
     *
     * @param recorder argv; empty for none
     */
    public Pane newSession(int cols, int rows, List<String> argv, List<String> recorder) {
        var name = "t" + ++sessions;
        var command = new ArrayList<>(List.of(
                "new-session", "-d", "-P", "-F", "#{pane_id}", "-s", name, "-x", "" + cols, "-y", "" + rows, "--"));
        // One word would be given to a shell.
        command.addAll(argv.size() == 1 ? List.of("env", argv.getFirst()) : argv);
        if (!recorder.isEmpty()) {
            command.addAll(List.of(";", "pipe-pane", "-O", "-t", name, pipe(recorder)));
        }
        return new Pane(this, name, run(command).strip());
    }

    /** Runs a tmux command on this server and returns what it prints; a failure is an error with tmux's own words. */
    public String run(String... command) {
        return run(List.of(command));
    }

    public String run(List<String> command) {
        var argv = new ArrayList<>(List.of(
                "tmux",
                "-u",
                "-S",
                folder.resolve("sock").toString(),
                "-f",
                folder.resolve("tmux.conf").toString()));
        argv.addAll(command);
        try {
            var builder = new ProcessBuilder(argv).redirectErrorStream(true);
            builder.environment().keySet().removeAll(List.of("TMUX", "TMUX_PANE", "NO_COLOR"));
            builder.environment()
                    .putAll(Map.of(
                            "LANG", "C.UTF-8", "LC_ALL", "C.UTF-8", "TERM", "xterm-256color", "SHELL", "/bin/sh"));
            builder.environment().putAll(environment);
            var process = builder.start();
            process.getOutputStream().close();
            var printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("tmux does not answer to " + command);
            }
            if (process.exitValue() != 0) {
                throw new AssertionError("tmux " + command + " failed: " + printed);
            }
            return printed;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** The server's own process. */
    public long pid() {
        return Long.parseLong(run("display-message", "-p", "#{pid}").strip());
    }

    /** Ends the server, and waits until it is gone. The second time it does nothing. */
    @Override
    public void close() {
        try {
            var server = ProcessHandle.of(pid());
            run("kill-server");
            server.ifPresent(s -> s.onExit().orTimeout(10, TimeUnit.SECONDS).join());
        } catch (AssertionError e) {
            // A test ended it before.
        }
        try {
            Files.deleteIfExists(folder.resolve("sock"));
            Files.deleteIfExists(folder.resolve("tmux.conf"));
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** An argv as pipe-pane wants it: quoted for a shell, and for tmux's own formats. */
    private static String pipe(List<String> argv) {
        var line = new StringBuilder("exec");
        for (var word : argv) {
            line.append(" '").append(word.replace("'", "'\\''")).append('\'');
        }
        return line.toString().replace("#", "##").replace("%", "%%");
    }

    /** Waits for something that is no text on a screen. */
    public static void eventually(String what, BooleanSupplier condition) {
        var deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + PATIENCE.toSeconds() + " s: " + what);
            }
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** One terminal and the program in it. */
    public record Pane(Tmux tmux, String session, String id) {
        /** Types text, every character as it stands. */
        public Pane type(String text) {
            // The hexadecimal form alone takes each byte as it is: -l drops a `;` at the end.
            var command = new ArrayList<>(List.of("send-keys", "-t", id, "-H"));
            for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
                command.add(String.format("%02x", b & 0xFF));
            }
            if (!text.isEmpty()) {
                tmux.run(command);
            }
            return this;
        }

        /** Presses keys by tmux's names: {@code Enter}, {@code Tab}, {@code Up}, {@code C-c}. */
        public Pane keys(String... names) {
            var command = new ArrayList<>(List.of("send-keys", "-t", id));
            command.addAll(List.of(names));
            tmux.run(command);
            return this;
        }

        /** Types a line and presses Enter. */
        public Pane line(String text) {
            return type(text).keys("Enter");
        }

        /** The screen as text, a line a row, without colours. */
        public String screen() {
            return tmux.run("capture-pane", "-p", "-t", id);
        }

        /** The screen and all that scrolled off it, soft-wrapped lines joined. */
        public String history() {
            return tmux.run("capture-pane", "-p", "-J", "-S", "-", "-t", id);
        }

        /** The screen with its attributes, as escape sequences. */
        public String attributes() {
            return tmux.run("capture-pane", "-p", "-e", "-N", "-t", id);
        }

        /** What a format says of the pane, such as {@code #{cursor_x},#{cursor_y}}. */
        public String format(String format) {
            return tmux.run("display-message", "-p", "-t", id, format).stripTrailing();
        }

        /** Waits until the screen shows this text. */
        public Pane waitFor(String text) {
            return waitFor("`" + text + "`", screen -> screen.contains(text), PATIENCE);
        }

        /** Waits until the screen satisfies a condition; {@code what} names it in the error, which shows the screen. */
        public Pane waitFor(String what, Predicate<String> condition, Duration limit) {
            var deadline = System.nanoTime() + limit.toNanos();
            while (true) {
                var screen = screen();
                if (condition.test(screen)) {
                    return this;
                }
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("not within " + limit.toSeconds() + " s: " + what
                            + (dead() ? "; the program ended with status " + status() : "") + "; the screen is\n"
                            + framed(screen));
                }
                pause();
            }
        }

        /** Waits until the program has ended and returns its exit status. */
        public int waitForEnd() {
            waitFor("the end of the program", _ -> dead() && reaped(), PATIENCE);
            return status();
        }

        /** Whether tmux knows how it ended. tmux 3.3a misses every other child's signal, and looks again at the next one's. */
        private boolean reaped() {
            if (format("#{pane_dead_status}#{pane_dead_signal}").isEmpty()) {
                tmux.run("run-shell", "true");
            }
            return !format("#{pane_dead_status}#{pane_dead_signal}").isEmpty();
        }

        public boolean dead() {
            return format("#{pane_dead}").equals("1");
        }

        private int status() {
            var status = format("#{pane_dead_status}");
            return status.isEmpty() ? -1 : Integer.parseInt(status);
        }

        /** The process in the pane. */
        public long pid() {
            return Long.parseLong(format("#{pane_pid}"));
        }

        /** True while its output is piped to a recorder. */
        public boolean piped() {
            return format("#{pane_pipe}").equals("1");
        }

        /** Pipes its output into a recorder from now on, in place of one there is. */
        public void pipeTo(List<String> recorder) {
            tmux.run("pipe-pane", "-O", "-t", id, pipe(recorder));
        }

        /** Ends the pipe: its reader sees the end of the output. */
        public void unpipe() {
            tmux.run("pipe-pane", "-t", id);
        }

        public void resize(int cols, int rows) {
            tmux.run("resize-window", "-t", session, "-x", "" + cols, "-y", "" + rows);
        }

        /** Ends the program and its session. */
        public void kill() {
            tmux.run("kill-session", "-t", session);
        }

        private static String framed(String screen) {
            var frame = new StringBuilder();
            screen.lines().forEach(line -> frame.append("| ").append(line).append('\n'));
            return frame.toString();
        }
    }
}
