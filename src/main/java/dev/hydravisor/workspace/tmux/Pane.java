package dev.hydravisor.workspace.tmux;

import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A pane hydra made, as tmux says it is now.
 *
 * @param session tmux's id of its session, {@code $3}
 * @param window tmux's id of its window, {@code @3}
 * @param id tmux's id of it, {@code %3}
 * @param dead true when its program ended
 * @param ended why, such as {@code status 1}; null while it runs, and where tmux does not know
 * @param piped true while something reads its output
 * @param stopped true while its recorder is dead and not started again yet
 * @param paused true while its recording is paused on request
 * @param attached clients that show its session
 * @param instance the instance it belongs to
 * @param name that instance's name
 * @param role {@code shell}, {@code shell-2} and so on, or {@code dialog}
 * @param recording that of a shell, of a dialog the first shell's; null when it is not recorded
 * @param model the model of a dialog; null for a shell
 */
public record Pane(
        String session,
        String window,
        String id,
        boolean active,
        boolean dead,
        @Nullable String ended,
        boolean piped,
        boolean stopped,
        boolean paused,
        int columns,
        int rows,
        int attached,
        Instant created,
        UUID instance,
        String name,
        String role,
        @Nullable String recording,
        @Nullable String model) {
    static final String FORMAT = String.join(
            "|",
            "#{session_id}",
            "#{window_id}",
            "#{pane_id}",
            "#{pane_active}",
            "#{pane_dead}",
            "#{pane_dead_status}",
            "#{pane_dead_signal}",
            "#{pane_pipe}",
            "#{pane_width}",
            "#{pane_height}",
            "#{session_attached}",
            "#{session_created}",
            "#{@instance}",
            "#{@name}",
            "#{@role}",
            "#{@recording}",
            "#{@stopped}",
            "#{@paused}",
            // last: the one field that may hold the separator
            "#{@model}");

    public static final String SHELL = "shell";
    public static final String DIALOG = "dialog";

    /** Begins the role of each shell beside the first. */
    public static final String FURTHER_SHELL = "shell-";

    /** True for the first shell: the one that models share. */
    public boolean isShell() {
        return role.equals(SHELL);
    }

    /** True for every shell: what it prints is a recording's. */
    public boolean isTerminal() {
        return isShell() || role.startsWith(FURTHER_SHELL);
    }

    /** True while what it prints is recorded. */
    public boolean recorded() {
        return recording != null && piped && !stopped && !paused;
    }

    private static @Nullable String ended(String status, String signal) {
        return !signal.isEmpty() && !signal.equals("0")
                ? "signal " + signal
                : status.isEmpty() ? null : "status " + status;
    }

    /** One line of {@link #FORMAT}; empty for a pane that hydra did not make. */
    static Optional<Pane> parse(String line) {
        var f = line.split("\\|", 19);
        if (f.length < 19 || f[12].isEmpty()) {
            return Optional.empty();
        }
        var dead = f[4].equals("1");
        return Optional.of(new Pane(
                f[0],
                f[1],
                f[2],
                f[3].equals("1"),
                dead,
                dead ? ended(f[5], f[6]) : null,
                f[7].equals("1"),
                f[16].equals("1"),
                f[17].equals("1"),
                Integer.parseInt(f[8]),
                Integer.parseInt(f[9]),
                Integer.parseInt(f[10]),
                Instant.ofEpochSecond(Long.parseLong(f[11])),
                UUID.fromString(f[12]),
                f[13],
                f[14],
                f[15].isEmpty() ? null : f[15],
                f[18].isEmpty() ? null : f[18]));
    }
}
