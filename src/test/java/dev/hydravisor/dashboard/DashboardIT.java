package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.env.Tmux.Pane;
import java.io.IOException;
import java.nio.file.Files;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The dashboard in a real terminal, on a machine whose libvirt is away; a thousand instances are known all the same. */
class DashboardIT {
    private static final int MANY = 1000;

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @SuppressWarnings("NullAway.Init")
    private static Tmux tmux;

    @BeforeAll
    static void start() throws SQLException {
        assumeTrue(Tmux.installed(), "tmux is not installed");
        hydra = Hydra.start(Map.of(
                "HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere", "OLLAMA_HOST", "http://127.0.0.1:1"));
        hydra.ok("list");
        hydra.ok("daemon", "stop");
        fill();
        hydra.ok("list");
        tmux = Tmux.start(hydra.environment());
    }

    @AfterAll
    static void stop() {
        if (tmux != null) {
            tmux.close();
            hydra.close();
        }
    }

    /** Instances as an earlier day left them. */
    private static void fill() throws SQLException {
        var spec = """
                {"image":"debian-13","cpus":1,"memoryMib":512,"diskGib":0,"user":"hydra","userData":null,"network":"default"}""";
        try (var connection = DriverManager.getConnection(
                        "jdbc:h2:async:" + hydra.home().resolve("db/hydra"), "hydra", "");
                var insert = connection.prepareStatement(
                        "insert into instance (id, name, kind, spec, complete, created) values (?, ?, 'VM', ?, true, ?)")) {
            for (int i = 0; i < MANY; i++) {
                insert.setObject(1, new UUID(7, i));
                insert.setString(2, "vm-%04d".formatted(i));
                insert.setString(3, spec);
                insert.setTimestamp(4, Timestamp.from(Instant.now()));
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    private static Pane open(int columns, int rows) {
        return tmux.newSession(columns, rows, Hydra.argv("dashboard")).waitFor("vm-0000");
    }

    /** A dashboard in a shell, so that what is left of the terminal can be seen afterwards. */
    private static Pane openInShell() {
        var pane = tmux.newSession(80, 24, List.of("bash", "--norc"));
        pane.line("PS1='shell> '; stty -g >before").waitFor("shell>");
        pane.line(Hydra.argv().getFirst() + " dashboard; echo \"status $?\"").waitFor("vm-0000");
        assertThat(pane.format("#{alternate_on} #{cursor_flag} #{mouse_standard_flag}"))
                .isEqualTo("1 0 1");
        return pane;
    }

    private static void assertRestored(Pane pane) {
        pane.waitFor("status ");
        assertThat(pane.format("#{alternate_on} #{cursor_flag} #{mouse_any_flag}"))
                .isEqualTo("0 1 0");
        pane.line("stty -g | diff - before && echo 'the' same; rm before").waitFor("the same");
        pane.kill();
    }

    private static void leave(Pane pane) {
        pane.keys("C-c");
        assertThat(pane.waitForEnd()).isZero();
        pane.kill();
    }

    @Test
    void itIsLeftWithTheTerminalAsItWas() {
        var pane = openInShell();
        pane.keys("q");
        pane.waitFor("status 0");
        assertRestored(pane);
    }

    @Test
    void ctrlCLeavesItWithTheTerminalAsItWas() {
        var pane = openInShell();
        pane.type("/vm");
        pane.keys("C-c");
        pane.waitFor("status 0");
        assertRestored(pane);
    }

    @Test
    void aKilledClientLeavesTheTerminalAsItWas() {
        var pane = openInShell();
        var client = ProcessHandle.of(pane.pid())
                .orElseThrow()
                .descendants()
                .filter(p -> p.info().command().orElse("").endsWith("java"))
                .findFirst()
                .orElseThrow();
        client.destroyForcibly();
        pane.waitFor("status 137");
        assertThat(pane.format("#{alternate_on} #{cursor_flag} #{mouse_any_flag}"))
                .isEqualTo("0 1 0");
        // The launcher no longer knows how it was; it is made usable.
        pane.line("rm before; stty -a | grep -o 'isig icanon iexten echo'").waitFor("\nisig icanon iexten echo");
        pane.kill();
        // The daemon noticed, too: its thread is not left behind drawing.
        assertThat(hydra.daemon().isAlive()).isTrue();
    }

    @Test
    void aKilledDaemonLeavesTheTerminalAsItWas() {
        try (var other = Hydra.start(Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere"));
                var server = Tmux.start(other.environment())) {
            var pane = server.newSession(80, 24, List.of("bash", "--norc"));
            pane.line("stty -g >before").waitFor("before");
            pane.line(Hydra.argv().getFirst() + " ui; echo \"status $?\"").waitFor("no instance yet");
            other.killDaemon();
            pane.waitFor("the daemon went away");
            assertRestored(pane);
        }
    }

    @Test
    void theFirstPictureIsThereBeforeTheDaemonIsUpAndKeysTypedMeanwhileCount() {
        try (var other = Hydra.start(Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere"));
                var server = Tmux.start(other.environment())) {
            var pane = server.newSession(80, 24, Hydra.argv("dashboard"));
            pane.waitFor("hydrad is starting");
            pane.type("3");
            pane.waitFor("PARAMETERS");
            pane.keys("q", "q");
            assertThat(pane.waitForEnd()).isZero();
        }
    }

    @Test
    void aBackendThatIsAwayShowsAsThatAndHoldsNothingUp() {
        var pane = open(100, 30);
        pane.waitFor("✗ unavailable").waitFor("✗ libvirt");
        pane.type("3").waitFor("✗ absent").waitFor("ollama");
        pane.type("1").type("s").waitFor("libvirt");
        pane.type("7").waitFor("start vm-0000").waitFor("failed");
        pane.type("6").waitFor("vm.start by user:root: failed:");
        leave(pane);
    }

    @Test
    void aThousandInstancesScroll() {
        var pane = open(120, 40);
        pane.waitFor("1/1000");
        pane.type("G").waitFor("vm-0999").waitFor("1000/1000");
        pane.type("g").waitFor("vm-0000").waitFor("1/1000");
        for (int i = 0; i < 50; i++) {
            pane.keys("j");
        }
        pane.waitFor("51/1000").waitFor("vm-0050");
        leave(pane);
    }

    @Test
    void theFilterNarrowsWhileItIsTyped() {
        var pane = open(80, 24);
        pane.type("/00[37]1").waitFor("1/2 of 1000");
        assertThat(pane.screen()).contains("vm-0031", "vm-0071").doesNotContain("vm-0000");
        pane.keys("Enter", "Escape").waitFor("/1000");
        leave(pane);
    }

    @Test
    void everyViewFitsIntoEightyColumns() {
        var pane = open(80, 24);
        for (var view : View.values()) {
            pane.type(":" + view.word());
            pane.keys("Enter");
            pane.type("?").waitFor("keys of " + view.word());
            pane.keys("Escape").waitFor("? keys");
            assertThat(pane.screen().lines().toList().getFirst()).contains("1 instances", "7 jobs");
        }
        leave(pane);
    }

    @Test
    void aResizeIsDrawnAtOnce() {
        var pane = open(80, 24);
        pane.resize(40, 10);
        pane.waitFor("the dashboard needs 60x16").waitFor("this terminal is 40x10");
        pane.resize(300, 100);
        pane.waitFor("│ vm-0000").waitFor("vm-0090");
        pane.resize(80, 24);
        pane.waitFor("── vm-0000 ──");
        leave(pane);
    }

    @Test
    void theWheelAndAClickMoveTheSelection() {
        var pane = open(80, 24).waitFor("1/1000");
        // As a terminal reports a click at column 5, row 6, and a turn of the wheel.
        pane.type("\033[M %&").waitFor("4/1000");
        pane.type("\033[Ma%&").waitFor("7/1000");
        leave(pane);
    }

    @Test
    void theFormSaysWhatIsWrongBeforeAnythingIsDone() {
        var pane = open(80, 24);
        pane.type("n").waitFor("create a VM");
        pane.type("vm-0001").waitFor("there is one of this name");
        pane.keys("C-u").type("web-東京").waitFor("letters, digits");
        pane.keys("Escape").waitFor("? keys");
        leave(pane);
    }

    @Test
    void atRestNothingIsDrawn() throws InterruptedException {
        var pane = open(80, 24).waitFor("✗ libvirt");
        var file = hydra.home().resolve("drawn");
        pane.pipeTo(List.of("dd", "of=" + file, "status=none"));
        Thread.sleep(Duration.ofSeconds(5));
        pane.unpipe();
        Tmux.eventually("the pipe is closed", () -> Files.exists(file));
        // The clock may have turned once, and each age with it.
        assertThat(file.toFile().length()).isLessThan(400);
        leave(pane);
    }

    @Test
    void withoutColoursTheSelectionIsStillSeen() {
        var pane = tmux.newSession(
                80, 24, List.of("env", "NO_COLOR=1", Hydra.argv().getFirst(), "dashboard"));
        pane.waitFor("vm-0000");
        assertThat(pane.attributes()).contains("\033[7m").doesNotContain("38;5", "38;2");
        leave(pane);
    }

    @Test
    void keysAndThemesOfTheUsersOwnAreTakenAndMistakesAreTold() throws IOException {
        try (var other = Hydra.start(Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere"));
                var server = Tmux.start(other.environment())) {
            Files.writeString(other.home().resolve("config.yaml"), """
                    dashboard:
                      theme: mine
                      themes:
                        mine:
                          accent: "bold #ff8800"
                      keys:
                        create: ["+", f5]
                        page-down: [pagedown, space]
                    """);
            var pane = server.newSession(80, 24, Hydra.argv("dashboard"));
            pane.waitFor("no instance yet; + creates a VM");
            pane.keys("F5").waitFor("create a VM");
            pane.keys("C-c");
            assertThat(pane.waitForEnd()).isZero();
            Files.writeString(other.home().resolve("config.yaml"), """
                    dashboard:
                      keys:
                        create: [x]
                    """);
            other.ok("daemon", "stop");
            var wrong = server.newSession(100, 24, Hydra.argv("dashboard"));
            wrong.waitFor("error: the key `x` is bound to both create and delete");
            assertThat(wrong.waitForEnd()).isEqualTo(2);
        }
    }

    @Test
    void withoutATerminalItSaysWhatPrints() {
        var ended = hydra.run("dashboard");
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.err()).contains("the dashboard needs a terminal; `hydra list`");
    }
}
