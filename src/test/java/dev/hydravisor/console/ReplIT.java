package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.env.Tmux.Pane;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The prompt as a person uses it, in a real terminal. */
class ReplIT {
    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @SuppressWarnings("NullAway.Init")
    private static Tmux tmux;

    @BeforeAll
    static void start() {
        assumeTrue(Tmux.installed(), "tmux is not installed");
        hydra = Hydra.start(Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere"));
        hydra.ok("version");
        tmux = Tmux.start(hydra.environment());
    }

    @AfterAll
    static void stop() {
        tmux.close();
        hydra.close();
    }

    private static Pane repl() {
        return tmux.newSession(100, 30, Hydra.argv()).waitFor("hydra>");
    }

    @Test
    void tabCompletesCommandsAndOptions() {
        var pane = repl();
        pane.type("vers").keys("Tab").waitFor("hydra> version");
        pane.keys("Enter").waitFor("kernel:");
        pane.type("vm list --fil").keys("Tab").waitFor("hydra> vm list --filter");
        pane.keys("C-c");
        pane.type("vm list -o js").keys("Tab").waitFor("hydra> vm list -o json");
        pane.keys("C-c");
        leave(pane);
    }

    @Test
    void historyComesBackInTheNextSession() {
        var first = repl();
        first.line("version -o name").waitFor("0.");
        leave(first);
        var second = repl();
        second.keys("Up").waitFor("hydra> version -o name");
        leave(second.keys("C-c"));
    }

    @Test
    void ctrlCDropsTheLineAndNothingElse() {
        var pane = repl();
        pane.type("vm delete everything").keys("C-c");
        pane.line("version -o name")
                .waitFor("a version", s -> s.lines().anyMatch(l -> l.startsWith("0.")), Tmux.PATIENCE);
        assertThat(pane.screen()).doesNotContain("no instance");
        leave(pane);
    }

    @Test
    void errorsAreToldAndThePromptIsThereAgain() {
        var pane = repl();
        pane.line("vm show 'my vm'").waitFor("error: there is no instance `my vm`");
        pane.line("doctro").waitFor("did you mean `doctor`?");
        pane.line("vm show 'open").waitFor("is not closed");
        leave(pane);
    }

    @Test
    void ctrlCCancelsACommandAndNotTheDaemon() {
        var pid = hydra.daemon().pid();
        var pane = tmux.newSession(100, 30, List.of("bash", "--norc"));
        // A script from the terminal waits for a line: a command under way, as far as Ctrl-C goes.
        pane.line(Hydra.argv().getFirst() + " -f -; echo \"status $?\"");
        Tmux.eventually(
                "the client runs", () -> !pane.format("#{pane_current_command}").equals("bash"));
        pane.line("version -o name")
                .waitFor("a version", s -> s.lines().anyMatch(l -> l.startsWith("0.")), Tmux.PATIENCE);
        pane.keys("C-c").waitFor("status 130");
        assertThat(hydra.daemon().pid()).isEqualTo(pid);
        assertThat(hydra.daemon().isAlive()).isTrue();
        pane.kill();
    }

    @Test
    void aResizeIsSeenByTheNextLine() {
        var pane = repl();
        pane.resize(60, 20);
        pane.type("x".repeat(70))
                .waitFor("a wrapped line", s -> s.lines().anyMatch(l -> l.equals("x".repeat(17))), Tmux.PATIENCE);
        leave(pane.keys("C-c"));
    }

    @Test
    void theTerminalIsAsItWasAfterwards() {
        var pane = tmux.newSession(100, 30, List.of("bash", "--norc"));
        pane.line("stty -g >before; " + Hydra.argv().getFirst()
                        + "; stty -g | diff - before && echo 'the' same; rm before")
                .waitFor("hydra>");
        pane.keys("C-d").waitFor("the same");
        pane.kill();
    }

    @Test
    void aDaemonThatIsKilledLeavesTheTerminalUsable() {
        try (var other = Hydra.start(Map.of());
                var server = Tmux.start(other.environment())) {
            other.ok("version");
            var pane = server.newSession(100, 30, List.of("bash", "--norc"));
            pane.line(Hydra.argv().getFirst()).waitFor("hydra>");
            other.killDaemon();
            pane.waitFor("the daemon went away");
            pane.line("stty -a | grep -o ' icanon'").waitFor("\n icanon");
        }
    }

    private static void leave(Pane pane) {
        pane.keys("C-d");
        assertThat(pane.waitForEnd()).isZero();
        pane.kill();
    }
}
