package dev.hydravisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.env.Tmux.Pane;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The main job on the real thing, as a user does it: a guest that boots, its workspace, a model that answers, a recording that can be
 * played, and the crash of each part in the middle. The tests follow one another on one VM, since a boot is dear.
 */
@TestMethodOrder(OrderAnnotation.class)
@SuppressWarnings("NullAway.Init")
class MainJobIT {
    private static final String VM = "web";
    private static final String POOL = "main-job";

    private static TestLibvirt libvirt;
    private static StandInProcess ollama;
    private static Hydra hydra;
    private static Tmux terminal;
    private static String image;

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
        terminal = Tmux.start(hydra.environment());
        image = TestLibvirt.guest().toString();
    }

    @AfterAll
    static void stop() {
        if (hydra != null) {
            hydra.run("vm", "delete", VM, "--force");
            hydra.close();
            terminal.close();
            ollama.close();
        }
    }

    @Test
    @Order(1)
    void anImageThatIsNoImageIsRefusedAndNothingIsLeft() throws IOException {
        var text = hydra.home().resolve("no image.qcow2");
        Files.writeString(text, "just text");
        var ended = create("no", text.toString());
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.err()).contains("no image.qcow2").doesNotContain("Exception");
        assertThat(hydra.ok("vm", "list", "-o", "name")).isEmpty();
        assertThat(libvirt.virsh("list", "--all", "--name")).doesNotContain("no");
    }

    @Test
    @Order(2)
    void oneCommandGivesARunningVmWithAWorkspaceAModelAndARecording() {
        var pane = terminal.newSession(
                140,
                40,
                Hydra.argv(
                        "vm",
                        "create",
                        VM,
                        "--image",
                        image,
                        "--cpus",
                        "1",
                        "--memory",
                        "128M",
                        "--model",
                        "ollama:tinychat",
                        "--attach"));
        // The user is in: the shell in the guest on the left, the model on the right.
        pane.waitFor("the guest's prompt", s -> s.contains("hydra@" + VM), java.time.Duration.ofMinutes(3));
        pane.line("echo $((6*7)) in $(hostname)").waitFor("42 in " + VM);
        pane.keys("C-b", "Right");
        pane.waitFor("you>");
        pane.line("my name is vera").waitFor("nice to meet you , vera .");
        pane.line("what is my name ?").waitFor("your name is vera .");
        pane.keys("C-b", "d");
        assertThat(pane.waitForEnd()).isZero();
        assertThat(pane.history()).contains("waiting for address", "workspace open " + VM + "` comes back");
        pane.kill();

        var shown = show();
        assertThat(shown.get("state").asString()).isEqualTo("running");
        assertThat(shown.get("address").asString()).startsWith("192.168.122.");
        assertThat(shown.get("model").asString()).isEqualTo("ollama:tinychat");
    }

    @Test
    @Order(3)
    void creatingItAgainIsSuccessAndWithAnotherSpecAConflictThatShowsTheDifference() {
        var again = create(VM, image);
        assertThat(again.err()).doesNotContain("error");
        assertThat(again.status()).isZero();

        var other = hydra.run("vm", "create", VM, "--image", image, "--cpus", "2", "--memory", "128M");
        assertThat(other.status()).isEqualTo(4);
        assertThat(other.err()).contains("cpus is 1, not 2");
    }

    @Test
    @Order(4)
    void tabCompletesItsName() {
        var pane = terminal.newSession(100, 20, Hydra.argv()).waitFor("hydra>");
        pane.type("vm show w").keys("Tab").waitFor("hydra> vm show " + VM);
        pane.keys("C-c", "C-d");
        assertThat(pane.waitForEnd()).isZero();
        pane.kill();
    }

    @Test
    @Order(5)
    void libvirtKilledAndRestartedIsOneLineAndThenMendsItself() {
        libvirt.kill();
        Tmux.eventually(
                "the VM shows as unavailable",
                () -> show().get("state").asString().equals("unavailable"));
        assertThat(show().get("reason").asString()).contains("libvirt");
        var stop = hydra.run("vm", "stop", VM);
        assertThat(stop.status()).isEqualTo(5);
        assertThat(stop.err().lines().filter(l -> l.startsWith("error:"))).hasSize(1);
        libvirt.start();
        Tmux.eventually(
                "the VM shows as running", () -> show().get("state").asString().equals("running"));
    }

    @Test
    @Order(6)
    void aKilledDaemonCostsNothing() throws IOException {
        var pane = terminal.newSession(140, 40, Hydra.argv("workspace", "open", VM));
        pane.waitFor("hydra@" + VM);
        pane.keys("C-b", "Left");
        pane.line("for i in $(seq 1 400); do echo tick-$i; sleep 0.02; done; echo all-ticked")
                .waitFor("tick-20");
        pane.keys("C-b", "Right");
        pane.line("/model ollama:long:n=4000").waitFor("4000");
        pane.line("count").waitFor("17 18 19");
        hydra.killDaemon();

        // The panes live on without it, and the next command finds all there again.
        assertThat(hydra.ok("vm", "list", "-o", "name").strip()).isEqualTo(VM);
        assertThat(hydra.tmux("list-panes", "-a", "-F", "#{@role} #{pane_dead}"))
                .contains("shell 0")
                .contains("dialog 0");
        pane.waitFor("all-ticked");
        var workspace = JsonMapper.shared()
                .readTree(hydra.ok("workspace", "list", "-o", "json"))
                .get(0);
        assertThat(workspace.get("state").asString()).isEqualTo("open");
        assertThat(workspace.get("recording").isNull()).isFalse();
        Tmux.eventually(
                "the dialog is back",
                () -> hydra.tmux("capture-pane", "-p", "-t", dialogPane())
                        .stripTrailing()
                        .endsWith("you>"));
        pane.keys("C-b", "d");
        pane.waitForEnd();
        pane.kill();

        var recorded = hydra.ok("recording", "export", VM, "-", "--format", "txt");
        for (int i = 1; i <= 400; i++) {
            assertThat(recorded).contains("tick-" + i);
        }
        assertThat(Files.readString(recording().resolve("dialog.jsonl")))
                .contains("what is my name ?", "your name is vera .");
    }

    @Test
    @Order(7)
    void theDialogRemembersAfterTheDaemonCameBack() {
        var answer = hydra.runWith("what is my name ?\n", "model", "chat", "ollama:tinychat", "--workspace", VM);
        assertThat(answer.out()).contains("your name is vera .");
    }

    @Test
    @Order(8)
    void theRecordingIsExportedForAsciinemaAndReplayed() throws IOException {
        var file = hydra.home().resolve("web.cast");
        hydra.ok("recording", "export", VM, file.toString());
        var lines = Files.readAllLines(file);
        assertThat(JsonMapper.shared().readTree(lines.getFirst()).get("version").asInt())
                .isEqualTo(2);
        assertThat(lines)
                .hasSizeGreaterThan(10)
                .allMatch(l -> JsonMapper.shared().readTree(l) != null);

        var again = hydra.run("recording", "export", VM, file.toString());
        assertThat(again.status()).isEqualTo(4);
        assertThat(again.err()).contains("--force");

        Pane pane = terminal.newSession(140, 40, Hydra.argv("recording", "replay", VM, "--speed", "1000"));
        assertThat(pane.waitForEnd()).isZero();
        assertThat(pane.history()).contains("42 in " + VM);
        pane.kill();
    }

    @Test
    @Order(9)
    void aKilledTmuxServerIsToldAndReopenedOnRequest() {
        var pid = Long.parseLong(hydra.tmux("display-message", "-p", "#{pid}").strip());
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
        ProcessHandle.of(pid).ifPresent(p -> p.onExit().join());
        Tmux.eventually(
                "the workspace shows as ended",
                () -> hydra.ok("workspace", "list").contains("ended"));
        hydra.ok("workspace", "open", VM, "--detach");
        assertThat(hydra.ok("workspace", "list")).contains("open");
        assertThat(hydra.ok("recording", "list", "-o", "name").lines()).hasSize(2);
    }

    @Test
    @Order(10)
    void stoppedAndStartedItHasAnAddressAgain() {
        assertThat(hydra.run("vm", "stop", VM).status()).isZero();
        assertThat(show().get("state").asString()).isEqualTo("stopped");
        assertThat(hydra.run("vm", "stop", VM).status()).isZero();
        hydra.ok("vm", "start", VM);
        assertThat(show().get("address").asString()).startsWith("192.168.122.");
    }

    @Test
    @Order(11)
    void deletedItLeavesNothingButItsRecordings() throws IOException {
        var running = hydra.run("vm", "delete", VM);
        assertThat(running.status()).isEqualTo(4);
        assertThat(running.err()).contains("stop it first or pass --force");

        hydra.ok("vm", "delete", VM, "--force");
        assertThat(hydra.run("vm", "show", VM).status()).isEqualTo(3);
        assertThat(libvirt.virsh("list", "--all", "--name").lines()).doesNotContain(VM);
        // What is left in the pool is the image.
        assertThat(libvirt.virsh("vol-list", POOL).lines().filter(l -> !l.isBlank()))
                .hasSize(1);
        assertThat(Files.exists(hydra.home().resolve("keys").resolve(VM))).isFalse();
        assertThat(hydra.tmux("list-sessions")).doesNotContain(VM + ":");
        assertThat(hydra.ok("recording", "list", "-o", "name").lines()).hasSize(2);
        try (var rows = java.nio.file.Files.list(hydra.home().resolve("keys"))) {
            assertThat(rows.map(f -> f.getFileName().toString()))
                    .containsExactlyInAnyOrder("recording.key", "recording.pub");
        }
    }

    private static Hydra.Ended create(String name, String image) {
        return hydra.run("vm", "create", name, "--image", image, "--cpus", "1", "--memory", "128M");
    }

    private static JsonNode show() {
        return JsonMapper.shared().readTree(hydra.ok("vm", "show", VM, "-o", "json"));
    }

    private static Path recording() {
        var id = hydra.ok("recording", "list", "-o", "name").lines().toList().getFirst();
        return hydra.home().resolve("logs").resolve(id);
    }

    private static String dialogPane() {
        return hydra.tmux("list-panes", "-a", "-F", "#{@role} #{pane_id}")
                .lines()
                .filter(l -> l.startsWith("dialog "))
                .findFirst()
                .map(l -> l.substring("dialog ".length()))
                .orElseThrow();
    }
}
