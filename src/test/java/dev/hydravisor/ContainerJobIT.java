package dev.hydravisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.env.TestRegistry;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
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
 * The main job with a container, as a user does it: from an image in a registry to a workspace with a model, the crash of hydrad in the
 * middle, the verbs that only containers have, and many lives one after another. The tests follow one another on one container.
 */
@TestMethodOrder(OrderAnnotation.class)
@SuppressWarnings("NullAway.Init")
class ContainerJobIT {
    private static final String BOX = "box";
    /** How long containers come and go; ten minutes are {@code -Dhydra.soak=600}. */
    private static final Duration SOAK = Duration.ofSeconds(Integer.getInteger("hydra.soak", 8));

    private static TestContainerd containerd;
    private static TestRegistry registry;
    private static StandInProcess ollama;
    private static Hydra hydra;
    private static Tmux terminal;
    private static String image;

    @BeforeAll
    static void start() throws IOException {
        containerd = TestContainerd.shared();
        registry = TestRegistry.start(null);
        ollama = StandInProcess.startWithTinyModel();
        var environment = new TreeMap<>(containerd.environment());
        environment.put("OLLAMA_HOST", ollama.url());
        hydra = Hydra.start(environment);
        terminal = Tmux.start(hydra.environment());
        image = registry.address() + "/busybox:1";
    }

    @AfterAll
    static void stop() throws IOException {
        if (hydra != null) {
            hydra.run("container", "delete", BOX, "--force");
            hydra.run("image", "delete", image);
            hydra.close();
            terminal.close();
            ollama.close();
            registry.close();
        }
    }

    @Test
    @Order(1)
    void oneCommandGoesFromTheRegistryToAWorkspaceWithAModelAndShowsEachStage() {
        var pane = terminal.newSession(
                140,
                40,
                Hydra.argv(
                        "container",
                        "create",
                        BOX,
                        "--image",
                        image,
                        "--memory",
                        "64M",
                        "--model",
                        "ollama:tinychat",
                        "--attach"));
        pane.waitFor("the container's prompt", s -> s.contains("/tmp #"), Duration.ofMinutes(1));
        pane.line("echo $((6*7)) in $(hostname)").waitFor("42 in " + BOX);
        pane.keys("C-b", "Right");
        pane.waitFor("you>");
        pane.line("my name is vera").waitFor("nice to meet you , vera .");
        pane.keys("C-b", "d");
        assertThat(pane.waitForEnd()).isZero();
        assertThat(pane.history())
                .containsSubsequence(
                        "looking up " + image,
                        "pulling " + image,
                        "creating container",
                        "starting",
                        "attaching model",
                        "opening workspace");
        pane.kill();
        assertThat(show().get("state").asString()).isEqualTo("running");
        assertThat(show().get("model").asString()).isEqualTo("ollama:tinychat");
        assertThat(show().get("address").asString()).startsWith("10.88.");
    }

    @Test
    @Order(2)
    void aKilledDaemonLeavesContainerWorkspaceAndRecordingAndTakesThemUpAgain() {
        var pane = terminal.newSession(140, 40, Hydra.argv("workspace", "open", BOX));
        pane.waitFor("42 in " + BOX);
        pane.keys("C-b", "Left");
        pane.line("for i in $(seq 1 200); do echo tick-$i; sleep 0.02; done; echo all-$((6*7))-ticked")
                .waitFor("tick-20");
        var task = pid();
        hydra.killDaemon();

        assertThat(hydra.ok("container", "list", "-o", "name").strip()).isEqualTo(BOX);
        assertThat(pid()).isEqualTo(task);
        pane.waitFor("all-42-ticked");
        pane.keys("C-b", "d");
        pane.waitForEnd();
        pane.kill();
        var workspace = json("workspace", "list", "-o", "json").get(0);
        assertThat(workspace.get("state").asString()).isEqualTo("open");
        assertThat(workspace.get("recording").isNull()).isFalse();
        Tmux.eventually(
                "the recording has all of it",
                () -> hydra.ok("recording", "export", BOX, "-", "--format", "txt")
                        .contains("all-42-ticked"));
        var recorded = hydra.ok("recording", "export", BOX, "-", "--format", "txt");
        for (int i = 1; i <= 200; i++) {
            assertThat(recorded).contains("tick-" + i);
        }
        // It hears of what happens to it again.
        containerd.ctr("task", "pause", BOX);
        Tmux.eventually(
                "the container shows as paused",
                () -> show().get("state").asString().equals("paused"));
        hydra.ok("container", "resume", BOX);
    }

    @Test
    @Order(3)
    void itsOwnVerbsDoWhatTheySay() throws IOException {
        var folder = Files.createDirectories(hydra.home().resolve("mine/sub"));
        Files.writeString(folder.resolve("note"), "from the host\n");
        hydra.ok("container", "cp", "" + folder.getParent(), BOX + ":/tmp/copied");
        assertThat(hydra.ok("container", "exec", BOX, "cat", "/tmp/copied/sub/note"))
                .isEqualTo("from the host\n");
        hydra.ok("container", "cp", BOX + ":/tmp/copied/sub", hydra.home() + "/back");
        assertThat(hydra.home().resolve("back/note")).hasContent("from the host");
        assertThat(hydra.run("container", "cp", BOX + ":/nowhere", "" + hydra.home())
                        .status())
                .isNotZero();

        assertThat(hydra.runWith("typed\n", "container", "exec", "-i", BOX, "cat")
                        .out())
                .isEqualTo("typed\n");
        assertThat(hydra.run("container", "exec", BOX, "sh", "-c", "exit 7").status())
                .isEqualTo(7);
        var pane = terminal.newSession(90, 20, Hydra.argv("container", "exec", "-it", BOX, "sh"));
        pane.waitFor("/tmp #").line("stty size; exit 5").waitFor("20 90");
        assertThat(pane.waitForEnd()).isEqualTo(5);
        pane.kill();

        var usage = json("container", "stats", BOX, "-o", "json").get(0);
        assertThat(usage.get("memory_limit").asLong()).isEqualTo(64L << 20);
        assertThat(usage.get("pids").asLong()).isPositive();
        assertThat(hydra.ok("container", "top", BOX)).contains("sleep 86400");

        hydra.ok("container", "pause", BOX);
        assertThat(containerd.ctr("task", "ls")).containsPattern(BOX + " +[0-9]+ +PAUSED");
        assertThat(hydra.run("container", "exec", BOX, "true").status()).isEqualTo(4);
        hydra.ok("container", "resume", BOX);

        hydra.ok("container", "commit", BOX, "box:tuned");
        hydra.ok("container", "create", "twin", "--run", "--image", "box:tuned", "--network", "none");
        assertThat(hydra.ok("container", "exec", "twin", "cat", "/tmp/copied/sub/note"))
                .isEqualTo("from the host\n");
        hydra.ok("container", "delete", "twin", "--force");
        hydra.ok("image", "delete", "box:tuned");
    }

    @Test
    @Order(4)
    void aCreateThatFailsOrIsCancelledLeavesNothingThatCtrCanSee() {
        var failed = hydra.run("container", "create", "broken", "--run", "--image", image, "--", "nosuchprogram");
        assertThat(failed.status()).isEqualTo(1);
        assertThat(failed.err()).contains("nosuchprogram").doesNotContain("Exception");
        var pane = terminal.newSession(
                100,
                20,
                Hydra.argv("container", "create", "cancelled", "--run", "--image", image, "--", "sleep", "99"));
        pane.waitFor("the creation", s -> s.contains("container") || s.contains("starting"), Tmux.PATIENCE);
        pane.keys("C-c");
        pane.waitForEnd();
        pane.kill();
        // It may have been quicker than the key.
        hydra.run("container", "delete", "cancelled", "--force");
        assertOnlyTheBoxIsLeft();
    }

    @Test
    @Order(5)
    void containersThatComeAndGoLeaveNothingAndCostNothing() throws IOException {
        life(0);
        var daemon = hydra.daemon().pid();
        var before = descriptors(daemon);
        var end = Instant.now().plus(SOAK);
        int lives = 1;
        for (; Instant.now().isBefore(end) || lives < 3; lives++) {
            life(lives);
        }
        assertThat(hydra.daemon().pid()).isEqualTo(daemon);
        assertThat(descriptors(daemon)).as("after " + lives + " lives").isLessThan(before + 20);
        assertThat(resident(daemon)).as("kB after " + lives + " lives").isLessThan(500_000);
        assertThat(show().get("state").asString()).isEqualTo("running");
        assertOnlyTheBoxIsLeft();
    }

    private static void life(int number) {
        var name = "life" + number;
        hydra.ok("container", "create", name, "--run", "--image", image, "--", "sh", "-c", "echo born; sleep 1000");
        assertThat(hydra.ok("container", "exec", name, "hostname").strip()).isEqualTo(name);
        Tmux.eventually(
                "its log is there", () -> hydra.ok("container", "logs", name).contains("born"));
        hydra.ok("container", "stop", name, "--timeout", "0");
        hydra.ok("container", "delete", name);
    }

    private static void assertOnlyTheBoxIsLeft() {
        assertThat(containerd.ctr("container", "ls", "-q").strip()).isEqualTo(BOX);
        assertThat(containerd.ctr("task", "ls", "-q").strip()).isEqualTo(BOX);
        assertThat(containerd.ctr("leases", "ls", "-q")).isBlank();
        assertThat(containerd.ctr("snapshot", "ls").lines().filter(l -> l.contains("Active")))
                .hasSize(1);
        assertThat(hydra.ok("container", "list", "-o", "name").strip()).isEqualTo(BOX);
        assertThat(hydra.home().resolve("run").toFile().list((_, name) -> name.startsWith("exec-")))
                .isEmpty();
        try (var folders = Files.walk(hydra.home().resolve("containers/addresses"))) {
            assertThat(folders.map(p -> p.getFileName().toString()).filter(n -> n.matches("10\\.[0-9.]+")))
                    .hasSize(1);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Of the container's main process. */
    private static String pid() {
        return containerd
                .ctr("task", "ls")
                .lines()
                .filter(l -> l.startsWith(BOX))
                .findFirst()
                .orElseThrow()
                .split(" +")[1];
    }

    private static int descriptors(long pid) throws IOException {
        try (var files = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            return (int) files.count();
        }
    }

    /** In kB. */
    private static long resident(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
                .filter(l -> l.startsWith("VmRSS"))
                .mapToLong(l -> Long.parseLong(l.replaceAll("[^0-9]", "")))
                .sum();
    }

    private static JsonNode show() {
        return json("container", "show", BOX, "-o", "json");
    }

    private static JsonNode json(String... arguments) {
        return JsonMapper.shared().readTree(hydra.ok(arguments));
    }
}
