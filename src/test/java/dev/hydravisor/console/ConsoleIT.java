package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.sql.DriverManager;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** One-shot commands and scripts, as a shell runs them: the packaged program, a daemon of its own. */
class ConsoleIT {
    // No hypervisor is needed here, and none shall be found.
    private static final Map<String, String> NO_LIBVIRT =
            Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere");

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @BeforeAll
    static void start() {
        hydra = Hydra.start(NO_LIBVIRT);
    }

    @AfterAll
    static void stop() {
        hydra.close();
    }

    @Test
    void everyCommandHasHelpWithAnExample() {
        var overview = hydra.ok("help");
        var commands = overview.lines()
                .dropWhile(l -> !l.equals("Commands:"))
                .skip(1)
                .takeWhile(l -> !l.isBlank())
                .map(l -> l.strip().split("  ", -1)[0])
                .toList();
        assertThat(commands).contains("vm create", "image import", "recording replay", "doctor");
        for (var command : commands) {
            var words = (command + " -h").split(" ", -1);
            assertThat(hydra.ok(words)).as(command).contains("Usage: hydra " + command, "Example:\n  ");
        }
    }

    @Test
    void theReferencePageIsUpToDate() throws IOException {
        assertThat(hydra.ok("__reference"))
                .as("stale: write it anew with `bin/hydra __reference > docs/commands.md`")
                .isEqualTo(Files.readString(java.nio.file.Path.of("docs/commands.md")));
    }

    @Test
    void bashCompletesCommandsOptionsAndFiles() throws Exception {
        assertThat(completed("vm cr")).containsExactly("create");
        assertThat(completed("vm list --fil")).containsExactly("--filter");
        assertThat(completed("vm list -o ")).containsExactly("table", "json", "yaml", "name");
        assertThat(completed("image import x bin/hyd")).containsExactly("bin/hydra");
    }

    /** What bash itself would offer, by the script we give it. */
    private static List<String> completed(String line) throws Exception {
        var script = "PATH=\"$(dirname \"$0\"):$PATH\"; source <(hydra completion bash);"
                + " COMP_WORDS=(hydra $1); [[ $1 == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
                + " compopt() { :; }; _hydra; printf '%s\\n' \"${COMPREPLY[@]}\"";
        var builder = new ProcessBuilder("bash", "-c", script, Hydra.argv().getFirst(), line);
        builder.environment().putAll(hydra.environment());
        return new String(builder.start().getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
    }

    @Test
    void theVersionIsPrintedForPeopleAndForPrograms() {
        assertThat(hydra.ok("--version")).contains("hydra:");
        assertThat(JsonMapper.shared()
                        .readTree(hydra.ok("version", "-o", "json"))
                        .get("hydra")
                        .asString())
                .isEqualTo(hydra.ok("version", "-o", "name").strip());
    }

    @Test
    void anEmptyListIsAnEmptyArrayForPrograms() {
        assertThat(JsonMapper.shared()
                        .readTree(hydra.ok("vm", "list", "-o", "json"))
                        .isArray())
                .isTrue();
    }

    @Test
    void errorsGoToStderrWithTheirExitCodeAndTheRemedy() {
        var missing = hydra.run("vm", "show", "nope");
        assertThat(missing.status()).isEqualTo(3);
        assertThat(missing.out()).isEmpty();
        assertThat(missing.err())
                .startsWith("error: there is no instance `nope`;")
                .hasLineCount(1);

        var unknown = hydra.run("vm", "craete");
        assertThat(unknown.status()).isEqualTo(2);
        assertThat(unknown.err()).contains("`vm craete`", "hydra vm -h");

        var noValue = hydra.run("vm", "list", "-o");
        assertThat(noValue.status()).isEqualTo(2);
        assertThat(noValue.err()).contains("--output", "hydra vm list -h");

        var noBackend = hydra.run("vm", "create", "web", "--image", "bin/hydra");
        assertThat(noBackend.status()).isNotZero();
        assertThat(noBackend.err()).startsWith("error: ").doesNotContain("Exception", "\tat ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "my vm",
                "a\"b",
                "it's",
                "x\ny",
                "../../etc",
                "naïve",
                "$(touch /tmp/pwned)",
                "a;b",
                "",
                "a\u001b[31m"
            })
    void aNameThatCannotBeIsRefusedWhole(String name) {
        var ended = hydra.run("vm", "create", "--image", "x", "--", name);
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.err())
                .startsWith("error: `")
                .contains("is no name for an instance")
                .hasLineCount(1);
        assertThat(ended.err()).doesNotContain("\u001b");
        assertThat(hydra.ok("vm", "list", "-o", "name")).isEmpty();
    }

    @Test
    void aNameOfTenThousandCharactersIsRefusedInOneShortLine() {
        var ended = hydra.run("vm", "create", "x".repeat(10_000), "--image", "x");
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.err()).hasSizeLessThan(300);
    }

    @Test
    void anOptionThatLooksLikeAnArgumentIsToldApartByTwoDashes() {
        assertThat(hydra.run("vm", "show", "-x").err()).contains("there is no option `-x`");
        assertThat(hydra.run("vm", "show", "--", "-x").err()).contains("there is no instance `-x`");
    }

    @Test
    void nothingInAPipeIsColouredOrDrawnOver() {
        var ended = hydra.run("doctor");
        assertThat(ended.out() + ended.err()).doesNotContain("\u001b", "\r");
    }

    @Test
    void aReaderThatLeavesEarlyIsNoError() throws Exception {
        var argv = List.of(
                "bash",
                "-c",
                "\"$0\" help | head -n 1; echo \"${PIPESTATUS[0]}\"",
                Hydra.argv().getFirst());
        var builder = new ProcessBuilder(argv);
        builder.environment().putAll(hydra.environment());
        var process = builder.start();
        var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        var err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(err).isEmpty();
        assertThat(out.lines().toList().getFirst()).startsWith("hydra runs VMs");
    }

    @Test
    void aLoopOverLinesKeepsItsInput() throws Exception {
        var argv = List.of(
                "bash",
                "-c",
                "printf 'a\\nb\\nc\\n' | while read -r x; do \"$0\" vm show \"$x\" 2>&1; done",
                Hydra.argv().getFirst());
        var builder = new ProcessBuilder(argv);
        builder.environment().putAll(hydra.environment());
        var out = new String(builder.start().getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(out.lines()).hasSize(3).allMatch(l -> l.contains("there is no instance"));
    }

    @Test
    void aScriptStopsAtTheFirstFailureAndNamesItsLine() throws IOException {
        var script = Files.createTempFile("hydra", ".hydra");
        Files.writeString(script, """
                # a comment, then a command
                version -o name   # and one behind

                vm show 'not here'
                version -o name
                """);
        var ended = hydra.run("-f", script.toString());
        assertThat(ended.status()).isEqualTo(3);
        assertThat(ended.out()).hasLineCount(1);
        assertThat(ended.err()).contains("`not here`", script + ":4: ended with status 3; the rest was not run");

        var going = hydra.run("-f", script.toString(), "--keep-going");
        assertThat(going.status()).isEqualTo(3);
        assertThat(going.out()).hasLineCount(2);
        Files.delete(script);
    }

    @Test
    void standardInputIsAScript() {
        var ended = hydra.runWith("version -o name\nversion 'open\n");
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.out()).hasLineCount(1);
        assertThat(ended.err()).contains("the quote ' is not closed", "stdin:2:");
    }

    @Test
    void aScriptThatIsNotThereIsNotFound() {
        var ended = hydra.run("-f", "/no/such/file");
        assertThat(ended.status()).isEqualTo(3);
        assertThat(ended.err()).contains("/no/such/file");
    }

    @Test
    void clientsThatRaceStartOneDaemon() throws Exception {
        try (var other = Hydra.start(NO_LIBVIRT)) {
            var processes = IntStream.range(0, 4)
                    .mapToObj(_ -> {
                        try {
                            return other.process("version", "-o", "name").start();
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    })
                    .toList();
            for (var process : processes) {
                assertThat(process.waitFor()).isZero();
            }
            // The others saw the lock taken, and left.
            var pid = other.daemon().pid();
            assertThat(other.ok("daemon", "status")).contains("pid:      " + pid);
        }
    }

    @Test
    void theDaemonIsLookedAfterWhetherItRunsOrNot() {
        try (var other = Hydra.start(NO_LIBVIRT)) {
            assertThat(other.run("daemon", "status").status()).isEqualTo(3);
            assertThat(other.ok("daemon", "start")).contains("hydrad is");
            assertThat(other.ok("daemon", "status")).contains("version:", "memory:", "socket:");
            other.ok("version"); // it is up, and so is its log
            var first = other.daemon();
            assertThat(other.ok("daemon", "restart")).contains("hydrad stopped");
            assertThat(first.isAlive()).isFalse();
            assertThat(other.ok("daemon", "logs")).contains("stopping, as asked");
            assertThat(other.ok("daemon", "stop")).contains("hydrad stopped");
            assertThat(other.run("daemon", "stop").status()).isZero();
        }
    }

    @Test
    void theDaemonStopsWhenIdleOnlyIfToldTo() throws Exception {
        try (var other = Hydra.start(NO_LIBVIRT)) {
            Files.writeString(other.home().resolve("config.yaml"), "daemon:\n  stop-when-idle: 1s\n");
            other.ok("version");
            other.daemon().onExit().get(60, java.util.concurrent.TimeUnit.SECONDS);
            assertThat(other.ok("daemon", "logs")).contains("stopping, idle for 1 s");
        }
    }

    @Test
    void aKilledDaemonIsStartedAnewAndItsDatabaseOpens() {
        hydra.ok("version");
        for (int i = 0; i < 3; i++) {
            hydra.killDaemon();
            assertThat(hydra.run("vm", "list").status()).isZero();
        }
    }

    @Test
    void withoutADaemonTheSameCommandsRunInThisProcess() {
        try (var other = Hydra.start(NO_LIBVIRT)) {
            assertThat(other.ok("--in-process", "version", "-o", "name")).isEqualTo(hydra.ok("version", "-o", "name"));
            assertThat(other.run("--in-process", "vm", "show", "my vm").status())
                    .isEqualTo(3);
            assertThat(Files.exists(other.home().resolve("run/hydrad.sock"))).isFalse();
        }
    }

    @Test
    void aDatabaseOfANewerHydraIsRefusedInOneLine() throws Exception {
        try (var other = Hydra.start(NO_LIBVIRT)) {
            other.ok("version");
            other.ok("daemon", "stop");
            try (var db = DriverManager.getConnection("jdbc:h2:" + other.home().resolve("db/hydra"), "hydra", "");
                    var sql = db.createStatement()) {
                sql.execute(
                        "insert into \"flyway_schema_history\" values (99, '99', 'later', 'SQL', 'V99__later.sql', 0, "
                                + "'hydra', current_timestamp, 1, true)");
            }
            var ended = other.run("vm", "list");
            assertThat(ended.status()).isEqualTo(5);
            assertThat(ended.err())
                    .contains("written by a newer hydra (schema 99")
                    .hasLineCount(1);
        }
    }

    @Test
    void aHomeTooLongForASocketIsToldSo() {
        var builder = hydra.process("version");
        builder.environment().put("HYDRA_HOME", "/tmp/" + "x".repeat(150));
        try {
            var process = builder.start();
            assertThat(process.waitFor()).isEqualTo(5);
            assertThat(new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8))
                    .contains("set HYDRA_HOME to a shorter path")
                    .hasLineCount(1);
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
