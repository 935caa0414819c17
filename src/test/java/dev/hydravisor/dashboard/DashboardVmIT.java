package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.env.Tmux.Pane;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** The main job by keys alone, on a real VM with a real model; the tests follow one another, since a boot is dear. */
@TestMethodOrder(OrderAnnotation.class)
@SuppressWarnings("NullAway.Init")
class DashboardVmIT {
    private static final String POOL = "dashboard";
    private static final Duration BOOT = Duration.ofMinutes(3);

    private static TestLibvirt libvirt;
    private static StandInProcess ollama;
    private static Hydra hydra;
    private static Tmux terminal;
    private static Pane pane;

    @BeforeAll
    static void start() throws IOException {
        libvirt = TestLibvirt.shared();
        ollama = StandInProcess.startWithTinyModel();
        var environment = new TreeMap<>(libvirt.environment());
        environment.put("OLLAMA_HOST", ollama.url());
        hydra = Hydra.start(environment);
        Files.writeString(hydra.home().resolve("config.yaml"), """
                vm:
                  pool: %s
                  pool-path: %s
                """.formatted(POOL, libvirt.folder(POOL)));
        hydra.ok("list");
        terminal = Tmux.start(hydra.environment());
        pane = terminal.newSession(120, 30, Hydra.argv("dashboard")).waitFor("no instance yet");
    }

    @AfterAll
    static void stop() {
        if (hydra != null) {
            hydra.run("vm", "delete", "web", "--force");
            hydra.close();
            terminal.close();
            ollama.close();
        }
    }

    /** Waits for a row of the list that begins with the name and shows the text. */
    private static void waitForRow(String name, String text) {
        pane.waitFor(
                "`" + name + "` " + text,
                s -> s.lines().anyMatch(l -> l.startsWith(" " + name + " ") && l.contains(text)),
                Tmux.PATIENCE);
    }

    @Test
    @Order(1)
    void aFormMakesARunningVmWithItsWorkspaceAndItsModel() {
        // The models are there to be completed from.
        pane.type("3").waitFor("ollama:tinychat").type("1");
        pane.type("n").waitFor("create a VM").type("web").keys("Enter");
        pane.type(TestLibvirt.guest().toString()).keys("Enter", "C-u").type("1").keys("Enter", "C-u");
        pane.type("128M")
                .keys("Enter", "Enter", "Enter", "Enter")
                .type("ollama:tiny")
                .waitFor("ollama:tinychat");
        pane.keys("Tab", "Enter", "Enter").waitFor("this will be done").waitFor("open its workspace, recorded");
        assertThat(hydra.ok("list", "-o", "name")).isEmpty();
        pane.keys("Enter").waitFor("waiting for address");
        pane.waitFor("the guest's prompt", s -> s.contains("hydra@web"), BOOT);
        pane.waitFor("you>");
        pane.line("echo $((6*7)) in $(hostname)").waitFor("42 in web");
    }

    @Test
    @Order(2)
    void leavingTheWorkspaceComesBackToTheSamePlaceWithItsTerminalInSight() {
        pane.keys("C-b", "d");
        waitForRow("web", "● running");
        waitForRow("web", "ollama:tinychat");
        pane.waitFor("42 in web");
        pane.keys("Enter").waitFor("hydra@web:~$");
        pane.waitFor("prefix d leaves").keys("C-b", "d");
        waitForRow("web", "● running");
    }

    @Test
    @Order(3)
    void whatHappensInTheWorkspaceIsShownAsItHappens() {
        hydra.tmux("send-keys", "-t", "web:.0", "echo seen-$((40+2))", "Enter");
        pane.waitFor("seen-42");
    }

    @Test
    @Order(3)
    void whatAVmUsesIsShownAsItGoes() {
        var used = Pattern.compile("^ web .* \\d+% .*[▁-█] +\\d+\\.\\d MiB", Pattern.MULTILINE);
        pane.waitFor("processor and memory of `web`", s -> used.matcher(s).find(), Tmux.PATIENCE);
    }

    @Test
    @Order(4)
    void whatAnotherSessionDoesIsShownByItself() {
        hydra.ok("vm", "pause", "web");
        waitForRow("web", "◐ paused");
        pane.type("p");
        waitForRow("web", "● running");
        pane.type("6").waitFor("vm.resume by user:root: done").type("1");
    }

    @Test
    @Order(5)
    void theConsoleIsEnteredAndLeft() {
        pane.type("c").waitFor("Connected to domain");
        pane.keys("C-]");
        waitForRow("web", "● running");
    }

    @Test
    @Order(6)
    void aModelIsDetachedAndAttachedAgain() {
        pane.type("d").waitFor("detach ollama:tinychat");
        Tmux.eventually(
                "the model is gone", () -> hydra.ok("list", "-o", "json").contains("\"model\" : null"));
        pane.type("a").waitFor("attach a model to web").type("tinychat").keys("Enter");
        waitForRow("web", "ollama:tinychat");
    }

    @Test
    @Order(7)
    void aKilledLibvirtIsShownAndHoldsNoKeyUp() {
        libvirt.kill();
        waitForRow("web", "✗ unavailable");
        pane.type("s").waitFor("libvirt does not answer");
        pane.type("?").waitFor("keys of instances").keys("Escape");
        libvirt.start();
        waitForRow("web", "● running");
    }

    @Test
    @Order(8)
    void deletingAsksForTheName() {
        pane.type("x").waitFor("type its name:").line("no");
        pane.waitFor("`web` is kept");
        pane.type("x").waitFor("type its name:").line("web");
        pane.waitFor("no instance yet");
        assertThat(libvirt.virsh("list", "--all", "--name")).doesNotContain("web");
    }

    @Test
    @Order(9)
    void aRecordingIsReplayedAndTheListIsThereAgain() {
        pane.type("5").waitFor("○ ended").type("R");
        pane.waitFor("the recording ends here; press a key", s -> s.contains("press a key"), BOOT);
        assertThat(pane.history()).contains("42 in web");
        pane.keys("Enter").waitFor("○ ended");
        pane.keys("C-c");
        assertThat(pane.waitForEnd()).isZero();
    }
}
