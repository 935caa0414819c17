package dev.hydravisor.dashboard;

import java.nio.file.Path;
import java.util.List;
import org.jline.terminal.Terminal;
import org.jspecify.annotations.Nullable;

/** Who looks at a dashboard: a terminal, and what its user's environment says. */
public interface Viewer {
    Terminal terminal();

    /** Told when the dashboard is about to take the screen. */
    void enters();

    /** Gives the terminal to a program, and waits for its end; returns its exit status. */
    int run(List<String> argv);

    /** A variable of the user's environment, of those that matter to hydra; null when it is unset. */
    @Nullable
    String environment(String name);

    /** Resolves a path the user typed. */
    Path path(String typed);
}
