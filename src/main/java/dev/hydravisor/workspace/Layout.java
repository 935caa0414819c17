package dev.hydravisor.workspace;

import java.util.Locale;

/** How the panes of a workspace stand to one another. */
public enum Layout {
    /** The shell left, the dialogs right, one above the other. */
    SIDE("main-vertical"),
    /** The shell above, the dialogs below, side by side. */
    STACKED("main-horizontal"),
    /** All of the same size. */
    TILED("tiled");

    /** As tmux calls it. */
    final String tmux;

    Layout(String tmux) {
        this.tmux = tmux;
    }

    /** As it is written on a command line. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
