package dev.hydravisor.console;

import dev.hydravisor.dashboard.Dashboard;
import dev.hydravisor.dashboard.Splash;
import dev.hydravisor.dashboard.Viewer;
import dev.hydravisor.operation.HydraException;
import java.nio.file.Path;
import java.util.List;
import org.jline.terminal.Terminal;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.stereotype.Component;

/** {@code dashboard}, and {@code ui}, which is the same. */
@Component
class DashboardCommand implements Commands {
    private final ObjectProvider<Dashboard> dashboard;

    DashboardCommand(ObjectProvider<Dashboard> dashboard) {
        this.dashboard = dashboard;
    }

    /** Whether arguments ask for the dashboard and nothing else. */
    static boolean isAsked(List<String> arguments) {
        return arguments.equals(List.of("dashboard")) || arguments.equals(List.of("ui"));
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("dashboard", "show all there is, on the full screen")
                        .details("`hydra ui` is the same. In it, ? shows the keys; config.yaml can change them.")
                        .example("hydra dashboard")
                        .runs(this::open),
                HydraCommand.named("ui", "the same as `dashboard`")
                        .hidden()
                        .example("hydra ui")
                        .runs(this::open));
    }

    private void open(Invocation in) {
        var session = in.session();
        if (!session.inIsTerminal() || !session.outIsTerminal()) {
            throw HydraException.usage("the dashboard needs a terminal; `hydra list` prints to a pipe");
        }
        try {
            dashboard.getObject().open(viewer(session));
        } catch (RuntimeException e) {
            // What is wrong must not be told on a screen that goes away.
            Splash.hide(session.terminal());
            throw e;
        }
    }

    private static Viewer viewer(Session session) {
        return new Viewer() {
            @Override
            public Terminal terminal() {
                return session.terminal();
            }

            @Override
            public void enters() {
                Splash.replace(session.terminal());
            }

            @Override
            public int run(List<String> argv) {
                return session.run(argv);
            }

            @Override
            public @Nullable String environment(String name) {
                return session.environment(name);
            }

            @Override
            public Path path(String typed) {
                return session.path(typed);
            }
        };
    }
}
