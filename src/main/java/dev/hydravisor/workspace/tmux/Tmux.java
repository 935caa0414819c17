package dev.hydravisor.workspace.tmux;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import org.springframework.stereotype.Component;

/**
 * Our own tmux server on a socket in {@code $HYDRA_HOME/run}, apart from the user's own. It outlives this process; tmux is the
 * truth about which panes there are, and the panes' own options say whose they are.
 */
@Component
public class Tmux {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int MAX_SOCKET_PATH = 107; // sun_path of Linux, less its closing zero
    private static final String WAKE = "hydra";
    private static final String KEEPER = "trap '' HUP INT TERM; s=$1; shift; n=0; until HYDRA_TMUX=\"$s\" \"$@\"; do "
            + "tmux -S \"$s\" set-option -g @stopped 1 ';' wait-for -S " + WAKE + " || n=$((n+1)); "
            + "[ $n -lt 5 ] || exit; sleep 1; tmux -S \"$s\" set-option -gu @stopped; done";

    private final Path socket;
    private final Path config;

    public Tmux(HydraHome home) {
        socket = home.run().resolve("tmux.sock");
        config = home.run().resolve("tmux.conf");
        writeConfig();
    }

    public Path socket() {
        return socket;
    }

    /** The argv of a tmux command on this server. */
    public List<String> argv(String... command) {
        var bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_SOCKET_PATH) {
            throw HydraException.failed(
                    "the path of the tmux socket, `" + socket + "`, has " + bytes + " bytes, more than the "
                            + MAX_SOCKET_PATH + " a socket may have; set HYDRA_HOME to a shorter path");
        }
        // -u: what tmux prints is UTF-8 whatever the locale of this process.
        var argv = new ArrayList<>(List.of("tmux", "-u", "-S", socket.toString(), "-f", config.toString()));
        argv.addAll(List.of(command));
        return argv;
    }

    /**
     * Runs commands in one call of the client, so that the server does nothing else in between, and starts the server where none
     * runs. Each argument reaches tmux as it is.
     *
     * @return what they printed
     */
    public String run(List<List<String>> commands) {
        var result = client(commands);
        if (!result.ok()) {
            throw HydraException.failed(
                    "tmux could not do `" + commands.getFirst().getFirst() + "`: " + result.reason());
        }
        return result.out();
    }

    public String run(String... command) {
        return run(List.of(List.of(command)));
    }

    /** All panes hydra made; empty when no server runs. */
    public Optional<List<Pane>> panes() {
        var list = List.of("list-panes", "-a", "-F", Pane.FORMAT);
        var result = client(List.of(list));
        if (result.ok()) {
            var panes = parse(result);
            if (panes.stream().anyMatch(p -> p.dead() && p.ended() == null)) {
                // It may have missed how that one ended; the end of any other child has it look.
                panes = parse(client(List.of(List.of("run-shell", ":"), list)));
            }
            return Optional.of(panes);
        }
        var reason = result.reason();
        if (reason.startsWith("no server running")
                || reason.startsWith("error connecting") && reason.contains("No such file")
                || reason.startsWith("lost server")
                || reason.startsWith("server exited")) {
            return Optional.empty();
        }
        throw HydraException.unavailable("tmux does not answer: " + reason + "; `hydra doctor` says more");
    }

    private static List<Pane> parse(Processes.Result result) {
        return result.out().lines().map(Pane::parse).flatMap(Optional::stream).toList();
    }

    /** Makes a session with one pane, whose output goes to {@code relay} from its first byte on; returns the pane's id. */
    public String newSession(
            String name,
            int columns,
            int rows,
            Map<String, String> environment,
            Map<String, String> options,
            List<String> relay,
            List<String> program) {
        var create = new ArrayList<>(List.of("new-session", "-d", "-s", name, "-x", "" + columns, "-y", "" + rows));
        create.addAll(List.of("-P", "-F", "#{pane_id}"));
        create.addAll(environment(environment));
        create.add("--");
        create.addAll(program(program));
        var target = "=" + name + ":";
        var commands = new ArrayList<List<String>>(List.of(create));
        commands.addAll(setPane(target, options));
        commands.addAll(pipe(target, relay));
        return run(commands).strip();
    }

    /**
     * Splits a pane.
     *
     * @param how tmux's own options, such as {@code -h -l 40%}
     * @param relay reads what it prints from the first byte on; empty for none
     * @param activeAfter the pane that is the active one afterwards
     */
    public void split(
            Pane pane,
            List<String> how,
            Map<String, String> environment,
            Map<String, String> options,
            List<String> relay,
            String activeAfter,
            List<String> program) {
        var split = new ArrayList<>(List.of("split-window", "-t", pane.id()));
        split.addAll(how);
        split.addAll(environment(environment));
        split.add("--");
        split.addAll(program(program));
        var commands = new ArrayList<List<String>>(List.of(split));
        commands.addAll(setPane(pane.window(), options)); // a window stands for its active pane: the new one
        commands.addAll(pipe(pane.window(), relay));
        commands.add(List.of("select-pane", "-t", activeAfter));
        run(commands);
    }

    /** Starts a program in a pane whose own has ended. */
    public void respawn(Pane pane, Map<String, String> environment, List<String> program) {
        var respawn = new ArrayList<>(List.of("respawn-pane", "-t", pane.id()));
        respawn.addAll(environment(environment));
        respawn.add("--");
        respawn.addAll(program(program));
        run(List.of(respawn));
    }

    /**
     * Types text and Enter into a pane whatever mode it is in, in place of what is typed there so far; nobody's keys come in between.
     *
     * @param text without control characters
     */
    public void type(Pane pane, String text) {
        var buffer = "hydra-" + UUID.randomUUID();
        var load = Processes.run(LIMIT, argv("load-buffer", "-b", buffer, "-"), text.getBytes(StandardCharsets.UTF_8));
        if (!load.ok()) {
            throw HydraException.failed("tmux could not take what is to be typed: " + load.reason());
        }
        run(List.of(
                List.of(
                        "if-shell",
                        "-F",
                        "-t",
                        pane.id(),
                        "#{pane_in_mode}",
                        "send-keys -t " + pane.id() + " -X cancel"),
                List.of("send-keys", "-t", pane.id(), "C-e", "C-u"),
                List.of("paste-buffer", "-p", "-r", "-d", "-b", buffer, "-t", pane.id()),
                List.of("send-keys", "-t", pane.id(), "Enter")));
    }

    /** What a pane shows, as text, with up to so many lines of what scrolled off it. */
    public String screen(Pane pane, int history) {
        return run("capture-pane", "-p", "-J", "-S", "-" + history, "-t", pane.id());
    }

    /** The value of a format for a pane. */
    public String format(Pane pane, String format) {
        return run("display-message", "-p", "-t", pane.id(), format).stripTrailing();
    }

    /** Sets a pane's own option; the empty string unsets it. */
    public void setPane(Pane pane, String option, String value) {
        run(
                value.isEmpty()
                        ? List.of(List.of("set-option", "-p", "-u", "-t", pane.id(), option))
                        : List.of(List.of("set-option", "-p", "-t", pane.id(), option, value)));
    }

    /** When a client last sent a key, with the pane it sent it to: lines of {@code seconds pane} for each client of the session. */
    public List<String> activity(Pane pane) {
        return run("list-clients", "-t", pane.session(), "-F", "#{client_activity} #{pane_id}")
                .lines()
                .toList();
    }

    /** Has a pane's output appended to a file from now on, where nothing else reads it. */
    public void tap(Pane pane, Path file) {
        run(pipe(pane.id(), List.of("tee", "-a", file.toString())));
    }

    /** Has a pane's output read no more until it is recorded again. */
    public void pause(Pane pane) {
        run(List.of(
                List.of("pipe-pane", "-t", pane.id()), List.of("set-option", "-p", "-t", pane.id(), "@paused", "1")));
    }

    /** Has a pane's output read by {@code relay} from now on. */
    public void record(Pane pane, String recording, List<String> relay) {
        var commands = new ArrayList<>(setPane(pane.id(), Map.of("@recording", recording)));
        commands.add(List.of("set-option", "-p", "-u", "-t", pane.id(), "@paused"));
        commands.addAll(pipe(pane.id(), relay));
        run(commands);
    }

    /** Has a pane's output read no more, and forget that it was recorded. */
    public void unrecord(Pane pane) {
        run(List.of(
                List.of("pipe-pane", "-t", pane.id()),
                List.of("set-option", "-p", "-u", "-t", pane.id(), "@paused"),
                List.of("set-option", "-p", "-u", "-t", pane.id(), "@recording")));
    }

    /** The text on a pane's screen, a line a row. */
    public String screen(Pane pane) {
        return run("capture-pane", "-p", "-t", pane.id());
    }

    /** Sets a session's option; the empty string unsets it. */
    public void setSession(String session, String option, String value) {
        run(
                value.isEmpty()
                        ? List.of(List.of("set-option", "-u", "-t", session, option))
                        : List.of(List.of("set-option", "-t", session, option, value)));
    }

    /** Arranges the panes of a window by a layout of tmux's, whose main pane is the first. */
    public void arrange(Pane first, String layout) {
        run(List.of(
                List.of("set-option", "-w", "-t", first.window(), "main-pane-width", "60%"),
                List.of("set-option", "-w", "-t", first.window(), "main-pane-height", "60%"),
                List.of("select-layout", "-t", first.window(), layout)));
    }

    public void killSession(String session) {
        run("kill-session", "-t", session);
    }

    public void killPane(Pane pane) {
        run("kill-pane", "-t", pane.id());
    }

    /** The argv of the client that shows a session; works inside another tmux too. */
    public List<String> attach(String session) {
        var argv = new ArrayList<>(List.of("env", "-u", "TMUX", "-u", "TMUX_PANE"));
        argv.addAll(argv("attach-session", "-t", session));
        return argv;
    }

    /** As {@link #attach}, by a client whose keys reach nothing, but for the one that leaves, and whose size counts where nobody else looks. */
    public List<String> watch(String session) {
        var argv = new ArrayList<>(attach(session));
        argv.addAll(List.of("-f", "read-only,ignore-size"));
        return argv;
    }

    /** A process that ends with 0 when something happened to a pane (or had since the last one ended), else with the server. */
    public Process waitForChange() throws IOException {
        return new ProcessBuilder(argv("wait-for", WAKE))
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    /** What {@code tmux -V} says, such as {@code 3.3a}. */
    public static String version() {
        return Processes.require(LIMIT, List.of("tmux", "-V")).strip().replaceFirst("^tmux ", "");
    }

    private Processes.Result client(List<List<String>> commands) {
        var argv = argv();
        for (int i = 0; i < commands.size(); i++) {
            if (i > 0) {
                argv.add(";");
            }
            commands.get(i).stream().map(Tmux::argument).forEach(argv::add);
        }
        return Processes.run(LIMIT, argv);
    }

    private static List<String> environment(Map<String, String> environment) {
        return environment.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .flatMap(e -> List.of("-e", e.getKey() + "=" + e.getValue()).stream())
                .toList();
    }

    private static List<List<String>> setPane(String target, Map<String, String> options) {
        return options.entrySet().stream()
                .map(e -> List.of("set-option", "-p", "-t", target, e.getKey(), e.getValue()))
                .toList();
    }

    /**
     * pipe-pane takes a shell command and expands tmux formats and strftime in it. A format's own value is expanded no further, so
     * the command goes by way of an option.
     */
    private static List<List<String>> pipe(String target, List<String> relay) {
        return relay.isEmpty()
                ? List.of()
                : List.of(
                        List.of("set-option", "-p", "-t", target, "@relay", "exec " + quote(relay)),
                        List.of("pipe-pane", "-O", "-t", target, "#{@relay}"));
    }

    /**
     * Keeps the recorder running, until it ends with status 0: one that dies is started again, and every pane's border says so until
     * then. Nothing happens where it runs already. It belongs to the server, not to this process, and outlives both.
     *
     * @param lock held by whoever keeps it
     */
    public void keepRecorder(Path lock, List<String> recorder) {
        var keeper =
                new ArrayList<>(List.of("setsid", "-f", "flock", "-n", lock.toString(), "sh", "-c", KEEPER, "keeper"));
        keeper.add(socket.toString());
        keeper.addAll(recorder);
        var log = quote(List.of(lock.resolveSibling("recorder.log").toString()));
        run(List.of(
                List.of("set-option", "-g", "@keeper", quote(keeper) + " </dev/null >>" + log + " 2>&1"),
                List.of("run-shell", "-b", "#{@keeper}")));
    }

    /** tmux runs several arguments as they are, but one alone as a shell command. */
    private static List<String> program(List<String> argv) {
        return argv.size() > 1 ? argv : List.of("/bin/sh", "-c", "exec \"$0\"", argv.getFirst());
    }

    /** tmux takes a semicolon that ends an argument for the end of the command. */
    static String argument(String text) {
        return text.endsWith(";") ? text.substring(0, text.length() - 1) + "\\;" : text;
    }

    /** A command line for a POSIX shell that stands for exactly this argv. */
    static String quote(List<String> argv) {
        return argv.stream().map(a -> "'" + a.replace("'", "'\\''") + "'").collect(Collectors.joining(" "));
    }

    private void writeConfig() {
        try (var text = Tmux.class.getResourceAsStream("/tmux.conf")) {
            if (text == null) {
                throw new IllegalStateException("tmux.conf is not on the class path");
            }
            var bytes = text.readAllBytes();
            if (Files.exists(config) && Arrays.equals(Files.readAllBytes(config), bytes)) {
                return;
            }
            var part = config.resolveSibling("tmux.conf.part");
            Files.write(part, bytes);
            Files.move(part, config, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw HydraException.failed("cannot write `" + config + "`: " + e.getMessage(), e);
        }
    }
}
