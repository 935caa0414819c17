package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.Hydra.Ended;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Policy and audit trail as a user of the console meets them: the packaged program, a daemon of its own, no backend. */
@Timeout(120)
class GuardIT {
    private static final String CAST = "{\"version\":2,\"width\":80,\"height\":24}\n[0.1,\"o\",\"hi\"]\n";

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    private final Path policy = hydra.home().resolve("policy.yaml");
    private final Path trail = hydra.home().resolve("logs/audit.jsonl");

    @BeforeAll
    static void start() throws IOException {
        hydra = Hydra.start(Map.of("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere"));
        Files.writeString(hydra.home().resolve("demo.cast"), CAST);
    }

    @AfterAll
    static void stop() {
        hydra.close();
    }

    @BeforeEach
    void noRules() throws IOException {
        Files.deleteIfExists(policy);
    }

    @Test
    void aDeniedCreateNamesItsRuleAndLineAndLeavesNothingButItsRecord() throws IOException {
        Files.writeString(policy, """
                rules:
                  - rule: allow
                  - rule: deny
                    actions: "*.create"
                    max-cpus: 4
                    reason: four are enough
                """);
        var create = new String[] {"vm", "create", "big", "--image", "debian-13", "--cpus", "5"};
        var ended = hydra.run(create);
        assertThat(ended.status()).isEqualTo(6);
        assertThat(ended.err())
                .hasLineCount(1)
                .contains("may not do vm.create of `big`: four are enough (" + policy + ":3); `hydra policy show`");
        assertThat(hydra.run(with(create, "--dry-run")).status()).isEqualTo(6);
        assertThat(hydra.ok("vm", "list", "-o", "name")).isEmpty();
        assertThat(records("target=big"))
                .singleElement()
                .satisfies(r -> assertThat(r.toString())
                        .contains("\"action\":\"vm.create\"", "\"outcome\":\"denied\"", "\"rule\":\"" + policy + ":3\"")
                        .contains("\"actor\":\"user:" + System.getProperty("user.name")));

        var checked = hydra.run(with(create, 0, "policy", "check"));
        assertThat(checked.status()).isEqualTo(6);
        assertThat(checked.out()).contains("four are enough", policy + ":3");
        create[6] = "4";
        assertThat(hydra.run(with(create, 0, "policy", "check")).status()).isZero();
        // Allowed, so it is the hypervisor that is missing.
        assertThat(hydra.run(create).status()).isEqualTo(5);
        assertThat(records("target=big"))
                .extracting(r -> r.get("outcome").asString())
                .endsWith("begun", "failed");
    }

    @Test
    void tokensAreAllowedNothingAndTheCheckSaysSo() {
        var checked = hydra.run(
                "policy",
                "check",
                "--as",
                "token:ci",
                "-o",
                "json",
                "--",
                "vm",
                "create",
                "web",
                "--image",
                "debian-13",
                "--no-workspace");
        assertThat(checked.status()).isEqualTo(6);
        assertThat(JsonMapper.shared()
                        .readTree(checked.out())
                        .get(0)
                        .get("reason")
                        .asString())
                .isEqualTo("no rule allows it");
        assertThat(hydra.run("policy", "check", "--as", "nobody", "vm", "list").status())
                .isEqualTo(2);
        assertThat(hydra.run("policy", "check", "vm", "list").err()).contains("changes nothing");
        assertThat(hydra.run("policy", "check", "vm", "create", "x").err()).contains("`--image` is missing");
        assertThat(hydra.ok("policy", "show", "--as", "token:ci", "-o", "name")).isEmpty();
    }

    @Test
    void everyCommandThatSaysItsPlanSaysWhatIsJudged() {
        for (var line : List.of(
                "vm create a --image b",
                "vm create a --image b --model ollama:c",
                "container create a --image b --mount /srv:/srv --publish 80:80",
                "image pull alpine",
                "image import a ./b",
                "recording import demo.cast",
                "model pull ollama:a",
                "model rm ollama:a",
                "model attach a ollama:b",
                "model detach a",
                "workspace close a",
                "workspace share a --read-only",
                "recording start a",
                "recording stop a")) {
            var ended = hydra.run(with(line.split(" "), 0, "policy", "check", "--as", "token:nobody", "-o", "name"));
            assertThat(ended.status()).as(line + ended.err()).isEqualTo(6);
            assertThat(ended.out()).as(line).isNotBlank();
        }
    }

    @Test
    void aProjectsOwnPolicyHoldsInItsFolderAndOnlyTightens() throws Exception {
        var project = Files.createDirectories(hydra.home().resolve("project"));
        Files.createDirectories(project.resolve(".hydra"));
        var own = project.resolve(".hydra/policy.yaml");
        Files.writeString(own, "rules: [{rule: deny, actions: recording.import, reason: not from here}]");
        var cast = hydra.home().resolve("demo.cast").toString();
        assertThat(runIn(project, "recording", "import", cast))
                .satisfies(e -> assertThat(e.status()).isEqualTo(6))
                .satisfies(e -> assertThat(e.err()).contains("not from here (" + own + ":1)"));
        assertThat(runIn(hydra.home(), "recording", "import", cast).status()).isZero();

        Files.writeString(own, "rules:\n  - rule: allow\n");
        assertThat(runIn(project, "recording", "import", cast))
                .satisfies(e -> assertThat(e.status()).isEqualTo(6))
                .satisfies(
                        e -> assertThat(e.err()).contains(own + "` cannot be read: line 2: ", "can only deny and ask"));
        assertThat(runIn(project, "policy", "validate").status()).isEqualTo(1);
    }

    @Test
    void eachThingThatIsWrongInAFileIsNamedWithItsLine() throws IOException {
        Files.writeString(policy, """
                rules:
                  - rule: permit
                  - rule: deny
                    action: [vm.create]
                    max-cpus: many
                  - rule: allow
                    who: [robots]
                    ports: [http]
                    pattern: "(a{1000}){1000}"
                  - who: []
                """);
        var ended = hydra.run("policy", "validate");
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.err()
                        .lines()
                        .map(l -> l.replace(policy + ":", "").split(":")[0])
                        .toList())
                .containsExactly("2", "4", "5", "7", "8", "9", "10", "10", "error");
        assertThat(hydra.run("recording", "import", "x").status()).isEqualTo(6);
        assertThat(hydra.ok("vm", "list")).contains("NAME");
    }

    @Test
    void noFileOfRulesHangsOrCrashes() throws Exception {
        var bomb = new StringBuilder("a0: &a0 [x]\n");
        for (int i = 1; i < 30; i++) {
            bomb.append("a%d: &a%d [*a%d, *a%d]\n".formatted(i, i, i - 1, i - 1));
        }
        var bad = List.of(
                bomb.toString(),
                "[".repeat(100_000),
                "rules: [{rule: deny, pattern: '" + "(x+x+)+".repeat(200) + "'}]",
                "rules: !!javax.script.ScriptEngineManager []",
                "\u0000\u001b[2J",
                "rules:\n  - rule: deny\n    reason: \"\u001b]0;x\u0007\"\n    rule: \"al\u001b[2Jow\"\n",
                "#".repeat(2 << 20));
        for (var text : bad) {
            Files.writeString(policy, text);
            var ended = hydra.run("policy", "validate");
            assertThat(ended.status())
                    .as(text.substring(0, Math.min(20, text.length())))
                    .isEqualTo(1);
            assertThat(ended.err()).contains(policy.toString()).doesNotContain("\u001b", "defect", "Exception");
        }
        Files.delete(policy);
        assertThat(new ProcessBuilder("mkfifo", policy.toString()).start().waitFor())
                .isZero();
        assertThat(hydra.run("policy", "validate").err()).contains("it is no file");
    }

    @Test
    void noNameForgesALineOfTheTrailOrReachesTheTerminal() throws IOException {
        var nasty = "x\r\n{\"number\":99}\u001b[2J\u009b1m\u202e.cast";
        assertThat(hydra.run("recording", "import", nasty).status()).isNotZero();
        assertThat(Files.readString(trail).lines()).noneMatch(l -> l.startsWith("{\"number\":99"));
        assertThat(Files.readString(trail).chars()).allMatch(c -> c == '\n' || (c >= ' ' && c < 127));
        assertThat(hydra.ok("audit", "list").chars()).allMatch(c -> c == '\n' || !Character.isISOControl(c));
        assertThat(hydra.ok("audit", "export").lines()).hasSameSizeAs(Files.readAllLines(trail));
        hydra.ok("audit", "verify");
    }

    @Test
    void aChangedLineIsNamedAndTheTrailIsInOrderAgainWithIt() throws IOException {
        hydra.ok("recording", "import", hydra.home().resolve("demo.cast").toString());
        var before = Files.readString(trail);
        var lines = before.lines().toList();
        Files.writeString(trail, before.replace(lines.getLast(), lines.getLast().replace("user:", "token:")));
        var ended = hydra.run("audit", "verify");
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.err())
                .startsWith("line " + lines.size() + " of the file (record " + lines.size()
                        + ") was changed: its hash does not fit it");
        Files.writeString(trail, before);
        hydra.ok("audit", "verify");
    }

    @Test
    void aChangedRowIsNamed() throws Exception {
        hydra.ok("recording", "import", hydra.home().resolve("demo.cast").toString());
        var last = Files.readAllLines(trail).size();
        hydra.ok("daemon", "stop");
        change("update audit set actor = 'token:x' where number = " + last);
        var ended = hydra.run("audit", "verify");
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.err()).startsWith("row " + last + " of the database (record " + last + ") was changed");
        hydra.ok("daemon", "stop");
        change("update audit set actor = 'user:" + System.getProperty("user.name") + "' where number = " + last);
        hydra.ok("audit", "verify");
    }

    @Test
    void whatCannotBePutOnRecordIsNotDone() throws Exception {
        hydra.ok("daemon", "stop");
        var logs = Files.createDirectories(hydra.home().resolve("logs"));
        var mount = new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", logs.toString());
        assumeTrue(mount.start().waitFor() == 0, "a small file system can be mounted here (needs root)");
        try {
            // The trail begins here with what the database has.
            assertThat(hydra.run("recording", "import", "nothing.cast").status())
                    .isEqualTo(1);
            fill(logs.resolve("filler"));
            // More than what is left of the file's last page.
            var image = "x".repeat(8000);
            var ended = hydra.run("vm", "create", "unheard", "--image", image);
            assertThat(ended.status()).isEqualTo(1);
            assertThat(ended.err())
                    .contains("the audit trail `" + trail + "` cannot be written (No space left on device), and what is"
                            + " not on record is not done; make room");
            assertThat(hydra.ok("vm", "list", "-o", "name")).isEmpty();
            assertThat(records("target=unheard")).isEmpty();
            Files.delete(logs.resolve("filler"));
            assertThat(hydra.run("vm", "create", "heard", "--image", image).status())
                    .isEqualTo(5);
            assertThat(records("target=heard")).hasSize(2);
            hydra.ok("audit", "verify");
        } finally {
            hydra.run("daemon", "stop");
            new ProcessBuilder("umount", logs.toString()).start().waitFor();
        }
    }

    private static void fill(Path file) throws IOException {
        try (var out = Files.newOutputStream(file)) {
            while (true) {
                out.write(new byte[512]);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }

    private static void change(String sql) throws Exception {
        var url = "jdbc:h2:" + hydra.home().resolve("db/hydra") + ";FILE_LOCK=FS";
        try (var connection = DriverManager.getConnection(url, "hydra", "");
                var statement = connection.createStatement()) {
            assertThat(statement.executeUpdate(sql)).isEqualTo(1);
        }
    }

    private static List<JsonNode> records(String filter) {
        var all = JsonMapper.shared().readTree(hydra.ok("audit", "list", "--filter", filter, "-o", "json"));
        return all.valueStream().toList();
    }

    private static Ended runIn(Path folder, String... arguments) throws Exception {
        var process = hydra.process(arguments).directory(folder.toFile()).start();
        process.getOutputStream().close();
        var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        var err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), out, err);
    }

    private static String[] with(String[] words, String last) {
        return with(words, words.length, last);
    }

    private static String[] with(String[] words, int at, String... more) {
        return IntStream.range(0, words.length + more.length)
                .mapToObj(i -> i < at ? words[i] : i < at + more.length ? more[i - at] : words[i - more.length])
                .toArray(String[]::new);
    }
}
