package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.env.Tmux.Pane;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** The main job by keys alone, on a real container; the tests follow one another. */
@TestMethodOrder(OrderAnnotation.class)
@SuppressWarnings("NullAway.Init")
class DashboardContainerIT {
    private static TestContainerd containerd;
    private static StandInProcess ollama;
    private static Hydra hydra;
    private static Tmux terminal;
    private static Pane pane;

    @BeforeAll
    static void start() throws IOException {
        containerd = TestContainerd.shared();
        ollama = StandInProcess.start();
        var environment = new TreeMap<>(containerd.environment());
        environment.put("OLLAMA_HOST", ollama.url());
        environment.put("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere");
        hydra = Hydra.start(environment);
        hydra.ok("list");
        terminal = Tmux.start(hydra.environment());
        pane = terminal.newSession(140, 30, Hydra.argv("dashboard")).waitFor("no instance yet");
    }

    @AfterAll
    static void stop() {
        if (hydra != null) {
            hydra.run("container", "delete", "box", "--force");
            hydra.close();
            terminal.close();
            ollama.close();
        }
    }

    private static void waitForRow(String pattern) {
        var row = Pattern.compile("^ box .*" + pattern, Pattern.MULTILINE);
        pane.waitFor("`box` " + pattern, s -> row.matcher(s).find(), Tmux.PATIENCE);
    }

    @Test
    @Order(1)
    void aFormMakesARunningContainerWithItsWorkspaceAndItsModel() {
        pane.type("4")
                .waitFor("busybox:latest")
                .type("3")
                .waitFor("ollama:escapes")
                .type("1");
        pane.type("N").waitFor("create a container").type("box").keys("Enter");
        pane.type("busy").waitFor("busybox:latest").keys("Tab", "Enter", "Enter", "Enter", "C-u");
        pane.type("nowhere")
                .waitFor("none, bridge or host")
                .keys("C-u")
                .type("none")
                .keys("Enter");
        pane.type("sleep 1000").keys("Enter").type("ollama:escapes").keys("Enter", "Enter");
        pane.waitFor("this will be done").waitFor("open its workspace, recorded");
        assertThat(hydra.ok("list", "-o", "name")).isEmpty();
        pane.keys("Enter").waitFor("you>");
        pane.line("echo $((6*7)) in $(hostname)").waitFor("42 in box");
    }

    @Test
    @Order(2)
    void whatAModelSaysIsTextAndNothingElse() {
        hydra.tmux("send-keys", "-t", "box:.1", "go", "Enter");
        pane.waitFor(
                "the answer",
                s -> Pattern.compile("before red link.*you>", Pattern.DOTALL)
                        .matcher(s)
                        .find(),
                Tmux.PATIENCE);
        pane.keys("C-b", "d");
        waitForRow("● running");
        pane.waitFor("model      before red link");
        assertThat(pane.format("#{pane_title}")).doesNotContain("owned");
        assertThat(pane.format("#{alternate_on} #{cursor_flag} #{mouse_standard_flag}"))
                .isEqualTo("1 0 1");
        assertThat(pane.screen()).startsWith(" 1 instances ");
    }

    @Test
    @Order(3)
    void whatAContainerUsesIsShownAsItGoes() {
        waitForRow("\\d+% .*[▁-█] +\\d+\\.\\d [KM]iB");
    }

    @Test
    @Order(4)
    void aContainerIsPausedStoppedAndStarted() {
        pane.type("p");
        waitForRow("◐ paused");
        pane.type("p");
        waitForRow("● running");
        containerd.ctr("task", "kill", "-s", "KILL", "box");
        waitForRow("✗ failed");
        pane.type("s");
        waitForRow("● running");
    }

    @Test
    @Order(5)
    void aKilledContainerdIsShownAndHoldsNoKeyUp() {
        containerd.kill();
        waitForRow("✗ unavailable");
        pane.type("?").waitFor("keys of instances").keys("Escape");
        containerd.start();
        waitForRow("● running");
    }

    @Test
    @Order(6)
    void deletingAsksForTheName() {
        pane.type("x").waitFor("type its name:").line("box");
        pane.waitFor("no instance yet");
        assertThat(containerd.ctr("container", "list", "-q")).doesNotContain("box");
        pane.keys("C-c");
        assertThat(pane.waitForEnd()).isZero();
    }
}
