package dev.hydravisor.workspace;

import dev.hydravisor.host.ForeignText;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.workspace.tmux.Pane;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;

/**
 * The shell pane of a workspace as a user and a model share it: one writes at a time, the other watches.
 *
 * <p>Who writes is said by the pane's option {@code @writer}, which its border shows: {@code user} after {@link #take}, the model that
 * holds it, or nobody. A model gets it when the user has not typed there for a moment, keeps it until its task is done, and loses it to
 * a user who types or takes it.
 *
 * <p>A command is typed as {@code printf START;eval 'COMMAND';printf END $?}: the two marks are control strings that no terminal shows,
 * and between them in the pane's output stands what the command printed. It works in every POSIX shell, whatever host it is on.
 */
@Service
public class Shells {
    private static final String WRITER = "@writer";
    private static final String USER = "user";
    private static final Duration QUIET = Duration.ofSeconds(2);
    private static final Duration LOOK = Duration.ofMillis(300);
    private static final int LONGEST = 8 << 20;

    private final WorkspaceService workspaces;
    private final RecordingService recordings;
    private final Tmux tmux;
    private final HydraHome home;
    private final Map<String, Running> running = new ConcurrentHashMap<>();

    /** The last command typed into a pane. */
    private record Running(String shell, String command, String nonce, Path output, long from, Instant since) {}

    Shells(WorkspaceService workspaces, RecordingService recordings, Tmux tmux, HydraHome home) {
        this.workspaces = workspaces;
        this.recordings = recordings;
        this.tmux = tmux;
        this.home = home;
    }

    /**
     * A command that was run.
     *
     * @param output what it printed, safe for a terminal
     * @param status its exit status; null when it still runs
     */
    public record Ran(String output, @Nullable Integer status, Duration took) {}

    /**
     * Types a command into the shell and waits for its end.
     *
     * @param writer who types, as {@link #claim} had it
     * @param limit how long to wait; then the command is left running
     * @throws HydraException USAGE for control characters and newlines; CONFLICT while something else runs there; UNAVAILABLE when the
     *     shell has ended
     */
    public Ran run(String instance, String writer, String command, Duration limit, Consumer<String> notice)
            throws InterruptedException {
        requirePlain(command);
        claim(instance, writer, notice);
        var pane = pane(instance);
        var shell = tmux.format(pane, "#{pane_pid}");
        requireFree(pane, shell);
        var nonce = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt());
        var output = output(pane);
        var typed = new Running(shell, command, nonce, output, size(output), Instant.now());
        tmux.type(
                pane,
                " printf '\\33]7719;S%s\\7' " + nonce + ";eval '" + command.replace("'", "'\\''")
                        + "';printf '\\33]7719;E%s;%d\\7' " + nonce + " $?");
        running.put(pane.id(), typed);
        return await(pane, typed, limit);
    }

    /**
     * Waits for the end of the command that {@link #run} left running.
     *
     * @throws HydraException NOT_FOUND when none was
     */
    public Ran await(String instance, Duration limit) throws InterruptedException {
        var pane = pane(instance);
        var typed = running.get(pane.id());
        if (typed == null) {
            throw HydraException.notFound("no command was run in the shell of `" + instance + "`; run one");
        }
        return await(pane, typed, limit);
    }

    /** Waits until the screen satisfies a condition; false when it does not within {@code limit}. */
    public boolean await(String instance, Predicate<String> screen, Duration limit) throws InterruptedException {
        return until(limit, () -> screen.test(screen(instance, 0)));
    }

    /** What the shell pane shows, with up to so many lines that scrolled off; safe for a terminal. */
    public String screen(String instance, int history) {
        return ForeignText.plain(tmux.screen(pane(instance), history)).stripTrailing();
    }

    /** Gives the shell to the user until {@link #give}: no model types meanwhile. */
    public void take(String instance) {
        hand(pane(instance), USER, USER);
    }

    /** Lets models have the shell again. */
    public void give(String instance) {
        hand(pane(instance), "", USER);
    }

    /** Who writes: {@code user}, a model, or an empty text for whoever comes. */
    public String writer(String instance) {
        return tmux.format(pane(instance), "#{" + WRITER + "}");
    }

    /**
     * Waits until the user neither holds the shell nor types in it, and then holds it for a model.
     *
     * @param notice told once why it has to wait
     */
    public void claim(String instance, String model, Consumer<String> notice) throws InterruptedException {
        var told = false;
        while (true) {
            var pane = pane(instance);
            var writer = tmux.format(pane, "#{" + WRITER + "}");
            var taken = writer.equals(USER);
            var typing = !taken && isTyped(pane);
            if (!taken && !typing) {
                if (!writer.equals(model)) {
                    hand(pane, model, "system");
                }
                return;
            }
            if (typing && !writer.isEmpty()) {
                hand(pane, "", USER);
            }
            if (!told) {
                notice.accept(
                        taken
                                ? "the shell is yours; /give lets `" + model + "` go on"
                                : "`" + model + "` waits while you type in the shell");
                told = true;
            }
            Thread.sleep(LOOK);
        }
    }

    /** Ends a model's hold, where it still has it. */
    public void release(String instance, String model) {
        try {
            var pane = pane(instance);
            if (tmux.format(pane, "#{" + WRITER + "}").equals(model)) {
                hand(pane, "", "system");
            }
        } catch (HydraException e) {
            // The pane is gone, and with it who held it.
        }
    }

    /** Leaves a mark in the workspace's recording, where it is recorded; see {@link RecordingService#mark}. */
    public void mark(String instance, String kind, String role, String text, Map<String, Object> attributes) {
        var recording = workspaces.find(instance).recording();
        if (recording != null) {
            recordings.mark(recording, kind, role, text, attributes);
        }
    }

    private void hand(Pane pane, String writer, String role) {
        tmux.setPane(pane, WRITER, writer);
        if (pane.recording() != null) {
            recordings.mark(
                    pane.recording(),
                    "handover",
                    role,
                    writer.isEmpty() ? "the shell is free" : "`" + writer + "` has the shell",
                    Map.of("writer", writer));
        }
    }

    private boolean isTyped(Pane pane) {
        var recent = Instant.now().minus(QUIET).getEpochSecond();
        return tmux.activity(pane).stream()
                .map(line -> line.split(" "))
                .anyMatch(f -> f.length == 2 && f[1].equals(pane.id()) && Long.parseLong(f[0]) > recent);
    }

    private static void requirePlain(String command) {
        if (command.isBlank()) {
            throw HydraException.usage("there is no command; give one");
        }
        if (command.chars().anyMatch(Character::isISOControl)) {
            throw HydraException.usage("a command is one line without control characters (tab, newline, escape); join"
                    + " commands with `;`, or write a script with write_file and run it");
        }
    }

    private void requireFree(Pane pane, String shell) {
        if (pane.dead()) {
            throw closed(pane.name());
        }
        var last = running.get(pane.id());
        if (last != null && last.shell().equals(shell) && end(last) == null) {
            throw HydraException.conflict("`" + last.command() + "` still runs in the shell, for "
                    + Duration.between(last.since(), Instant.now()).toSeconds() + " s; wait for its end with wait_for");
        }
        if (tmux.format(pane, "#{alternate_on}").equals("1")) {
            throw HydraException.conflict("a full-screen program runs in the shell; ask the user to leave it");
        }
    }

    private Ran await(Pane pane, Running typed, Duration limit) throws InterruptedException {
        var looks = new int[1];
        until(
                limit,
                () -> end(typed) != null
                        || (++looks[0] % 8 == 0 && pane(pane.name()).dead()));
        var bytes = read(typed);
        var start = bytes.indexOf("\033]7719;S" + typed.nonce() + "\007");
        var from = start < 0 ? 0 : start + 17;
        var end = bytes.indexOf("\033]7719;E" + typed.nonce() + ";", from);
        var text = text(bytes.substring(from, end < 0 ? bytes.length() : end));
        var took = Duration.between(typed.since(), Instant.now());
        if (end < 0) {
            if (pane(pane.name()).dead()) {
                running.remove(pane.id());
                throw HydraException.unavailable("the shell ended while the command ran; it had printed: " + text);
            }
            return new Ran(text, null, took);
        }
        var status = bytes.substring(end + 17, bytes.indexOf('\007', end));
        return new Ran(text, Integer.parseInt(status), took);
    }

    /** The place of the mark that ends the command; null when it is not there yet. */
    private static @Nullable Integer end(Running typed) {
        var bytes = read(typed);
        var at = bytes.indexOf("\033]7719;E" + typed.nonce() + ";");
        return at < 0 || bytes.indexOf('\007', at) < 0 ? null : at;
    }

    /** What the pane printed since the command was typed, a character a byte. */
    private static String read(Running typed) {
        try (var file = new RandomAccessFile(typed.output().toFile(), "r")) {
            // Of an endless output the end matters: there its mark will be.
            var from = Math.max(typed.from(), file.length() - LONGEST);
            var bytes = new byte[(int) (file.length() - from)];
            file.seek(from);
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw HydraException.failed("cannot read the output of the shell: " + e.getMessage(), e);
        }
    }

    /** Output as a screen would have left it, line by line: what a carriage return let overwrite is gone. */
    private static String text(String bytes) {
        var text = new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
        var lines = new StringBuilder();
        for (var line : text.split("\r*\n", -1)) {
            lines.append(line.substring(line.lastIndexOf('\r') + 1)).append('\n');
        }
        return ForeignText.plain(lines.toString()).stripTrailing();
    }

    /** Where the pane's output goes: into its recording, or else a file that is begun now. */
    private Path output(Pane pane) {
        if (pane.recording() != null && !pane.paused()) {
            if (!pane.recorded()) {
                throw HydraException.unavailable("the recorder of the shell stopped; ask again in a moment");
            }
            return recordings.output(pane.recording());
        }
        var file = home.run().resolve("pane" + pane.id().substring(1) + ".out");
        if (!pane.piped()) {
            try {
                Files.deleteIfExists(file);
                Files.createFile(file);
            } catch (IOException e) {
                throw HydraException.failed("cannot write `" + file + "`: " + e.getMessage(), e);
            }
            tmux.tap(pane, file);
        }
        return file;
    }

    private static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw HydraException.failed("cannot read `" + file + "`: " + e.getMessage(), e);
        }
    }

    private Pane pane(String instance) {
        return tmux.panes().stream()
                .flatMap(java.util.Collection::stream)
                .filter(p -> p.isShell() && p.name().equals(instance))
                .findFirst()
                .orElseThrow(() -> closed(instance));
    }

    private static HydraException closed(String instance) {
        return HydraException.unavailable(
                "the shell of `" + instance + "` is not open; `hydra workspace open " + instance + "` opens it");
    }

    private static boolean until(Duration limit, BooleanSupplier condition) throws InterruptedException {
        var start = System.nanoTime();
        for (long pause = 10; ; pause = Math.min(250, pause + pause / 4)) {
            if (condition.getAsBoolean()) {
                return true;
            }
            if (System.nanoTime() - start > limit.toNanos()) {
                return false;
            }
            Thread.sleep(pause);
        }
    }
}
