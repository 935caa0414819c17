package dev.hydravisor.workspace;

import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A workspace as it is now.
 *
 * @param name the instance's name
 * @param called the user's own name for it; null when there is none
 * @param instance the instance's id
 * @param reason why it is in this state, with the remedy; null when there is nothing to say
 * @param session tmux's id of its session; null when there is none
 * @param models the attached models as {@code provider:id}
 * @param recording the id of its recording; null when it is not recorded
 * @param attached clients that show it
 */
public record Workspace(
        String name,
        @Nullable String called,
        UUID instance,
        State state,
        @Nullable String reason,
        @Nullable String session,
        List<Pane> panes,
        List<String> models,
        @Nullable String recording,
        Instant created,
        int attached) {
    /** Whether there is a tmux session, and what for. */
    public enum State {
        OPEN,
        /** Its tmux session is gone, and nobody closed it. */
        ENDED,
        /** A tmux session of an instance that is no more. */
        ORPHANED
    }

    /**
     * A pane of it.
     *
     * @param role {@code shell}, {@code shell-2} and so on for shells beside it, or {@code dialog}
     * @param model the model of a dialog; null for a shell
     * @param ended why its program ended, such as {@code status 1}; null while it runs
     * @param recorded true while what happens in it is recorded
     */
    public record Pane(
            String role, @Nullable String model, @Nullable String ended, boolean recorded, int columns, int rows) {}
}
