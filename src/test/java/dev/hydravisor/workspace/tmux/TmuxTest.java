package dev.hydravisor.workspace.tmux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TmuxTest {
    @Test
    void aQuotedArgvReachesAProgramThroughTheShellAsItWas() {
        var odd = List.of("a b", "", "it's", "\"$(id)\" `id` $HOME", "*;|&><\\", "-n", "two\nlines", "é%H#{x}");

        var command = Tmux.quote(List.of("printf", "%s\\0")) + " " + Tmux.quote(odd);
        var out = Processes.require(Duration.ofSeconds(5), List.of("/bin/sh", "-c", command));

        assertThat(List.of(out.split("\0", -1))).startsWith(odd.toArray(String[]::new));
    }

    @Test
    void aSemicolonThatEndsAnArgumentIsNotTheEndOfTheCommand() {
        assertThat(Tmux.argument("x;")).isEqualTo("x\\;");
        assertThat(Tmux.argument(";")).isEqualTo("\\;");
        assertThat(Tmux.argument("a;b")).isEqualTo("a;b");
    }

    @Test
    void aSocketPathLongerThanTheKernelTakesIsSaidWithTheRemedy(@TempDir Path folder) {
        var tmux = new Tmux(new HydraHome(folder.resolve("x".repeat(120))));

        assertThatThrownBy(tmux::panes)
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("more than the 107")
                .hasMessageEndingWith("set HYDRA_HOME to a shorter path");
    }

    @Test
    void aPaneThatHydraDidNotMakeIsPassedOver() {
        assertThat(Pane.parse("$0|@0|%0|1|0|||0|80|24|0|1700000000|||||||")).isEmpty();
    }

    @Test
    void aPaneIsReadWithAllThatTmuxSaysOfIt() {
        var pane = Pane.parse("$1|@2|%3|1|1|3||1|80|24|2|1700000000|00000000-0000-0000-0000-000000000001|web|dialog|"
                        + "session-1|||ollama:a|b")
                .orElseThrow();

        assertThat(pane.ended()).isEqualTo("status 3");
        assertThat(pane.model()).isEqualTo("ollama:a|b");
        assertThat(pane.piped()).isTrue();
        assertThat(pane.attached()).isEqualTo(2);
    }
}
