package dev.hydravisor.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestContainerd;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Instances launched by tokens, for real: containers, over the socket of a real daemon. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LaunchIT {
    private static final String SLEEPER =
            "\"container\":{\"image\":\"busybox\",\"network\":\"none\",\"command\":[\"sleep\",\"1000\"]}";

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @SuppressWarnings("NullAway.Init")
    private static StandInProcess ollama;

    /** A registry that takes connections and never says a word: an image of it is pulled for ever. */
    @SuppressWarnings("NullAway.Init")
    private static ServerSocket silence;

    @SuppressWarnings("NullAway.Init")
    private static URI url;

    @SuppressWarnings("NullAway.Init")
    private static String ci;

    @SuppressWarnings("NullAway.Init")
    private static String other;

    @BeforeAll
    static void start() throws IOException {
        var containerd = TestContainerd.shared();
        ollama = StandInProcess.start();
        silence = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        var environment = new TreeMap<>(containerd.environment());
        environment.put("HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere");
        hydra = Hydra.start(environment);
        Files.writeString(hydra.home().resolve("config.yaml"), """
                launch:
                  port: 0
                  limits:
                    operations: 2
                ollama:
                  host: %s
                """.formatted(ollama.url()));
        url = Caller.url(hydra);
        ci = Caller.token(hydra, "ci", "--max-instances", "3", "--max-memory", "64M");
        other = Caller.token(hydra, "other");
    }

    @AfterAll
    static void stop() throws IOException {
        if (hydra != null) {
            for (var name : hydra.ok("container", "list", "-o", "name").lines().toList()) {
                hydra.run("container", "delete", name, "--force");
            }
            hydra.close();
            ollama.close();
            silence.close();
        }
    }

    private static String launch(String key, String name, String spec) {
        return "\"type\":\"launch\",\"key\":\"" + key + "\",\"name\":\"" + name + "\"," + spec;
    }

    private static String stuck() {
        return "\"container\":{\"image\":\"127.0.0.1:" + silence.getLocalPort()
                + "/never:latest\",\"network\":\"none\"}";
    }

    private static void restarted() {
        Tmux.eventually(
                "the endpoint opens again",
                () -> Caller.status(hydra).get("state").stringValue().equals("open"));
        url = Caller.url(hydra);
    }

    @Test
    @Order(1)
    void aLaunchTellsItsStagesAndEndsInARunningInstance() {
        try (var caller = Caller.open(url, ci)) {
            var accepted = caller.ask(launch("one", "web", SLEEPER));
            assertThat(accepted.get("state").stringValue()).isEqualTo("running");
            var stages = new ArrayList<String>();
            var numbers = new ArrayList<Long>();
            JsonNode last;
            do {
                last = caller.next();
                numbers.add(last.get("event").asLong());
                assertThat(last.get("launch")).isEqualTo(accepted.get("launch"));
                if (last.get("type").stringValue().equals("stage")) {
                    stages.add(last.get("stage").stringValue() + " "
                            + last.get("state").stringValue());
                }
            } while (last.get("type").stringValue().equals("stage"));
            assertThat(last.get("type").stringValue()).as(last.toString()).isEqualTo("ready");
            var instance = last.get("instance");
            assertThat(instance.get("state").stringValue()).isEqualTo("running");
            assertThat(instance.get("memory_mib").asInt())
                    .as("the most it may have")
                    .isEqualTo(64);
            assertThat(stages).hasSizeGreaterThan(2).anyMatch(s -> s.endsWith(" finished"));
            assertThat(numbers)
                    .isSorted()
                    .doesNotHaveDuplicates()
                    .startsWith(accepted.get("event").asLong() + 1);
            assertThat(caller.ask("\"type\":\"list\"").get("instances")).hasSize(1);
            assertThat(caller.ask("\"type\":\"show\",\"name\":\"web\"")
                            .get("instance")
                            .get("id"))
                    .isEqualTo(instance.get("id"));
        }
        assertThat(hydra.ok("container", "list", "-o", "name")).isEqualTo("web\n");
    }

    @Test
    @Order(2)
    void theSameKeyTellsItAgainAndRunsNothingTwice() throws IOException {
        try (var caller = Caller.open(url, ci)) {
            caller.send(launch("cut", "cut", SLEEPER));
            caller.next("stage");
        } // cut off
        try (var caller = Caller.open(url, ci)) {
            var again = caller.ask(launch("cut", "cut", SLEEPER));
            assertThat(again.get("type").stringValue()).isEqualTo("accepted");
            var ready = caller.next("ready");
            // From the last event that was seen on.
            caller.send(launch(
                    "cut", "cut", SLEEPER + ",\"after\":" + (ready.get("event").asLong() - 1)));
            assertThat(caller.next("accepted").get("state").stringValue()).isEqualTo("ready");
            assertThat(caller.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong");
        }
        try (var caller = Caller.open(url, ci)) {
            caller.send(launch("cut", "cut", SLEEPER + ",\"after\":0"));
            assertThat(caller.next("stage").get("event").asLong()).isPositive();
            var ready = caller.next("ready");
            assertThat(caller.error("{\"id\":\"x\"," + launch("cut", "another", SLEEPER) + "}"))
                    .isEqualTo("409 key_reused key");
            assertThat(ready.get("instance").get("name").stringValue()).isEqualTo("cut");
        }
        assertThat(hydra.ok("container", "list", "-o", "name")).isEqualTo("cut\nweb\n");
        assertThat(audit().filter(e -> e.get("target").asString().equals("cut")
                        && e.get("action").asString().equals("container.create")
                        && e.get("outcome").asString().equals("done")))
                .hasSize(1)
                .allMatch(e -> e.get("actor").asString().equals("token:ci"));
    }

    @Test
    @Order(3)
    void twoTokensCannotSeeEachOther() {
        hydra.ok("container", "create", "mine", "--image", "busybox", "--network", "none", "--", "sleep", "1000");
        try (var caller = Caller.open(url, other);
                var owner = Caller.open(url, ci)) {
            caller.ask("\"type\":\"subscribe\",\"after\":0");
            owner.ask("\"type\":\"subscribe\"");
            assertThat(caller.ask("\"type\":\"list\"").get("instances")).isEmpty();
            for (var name : List.of("web", "mine", "nothing")) {
                for (var type : List.of("show", "stop", "delete")) {
                    assertThat(caller.error("{\"id\":\"1\",\"type\":\"" + type + "\",\"name\":\"" + name + "\"}"))
                            .isEqualTo("404 not_found name");
                }
                assertThat(caller.error("{\"id\":\"1\",\"type\":\"cancel\",\"key\":\"one\"}"))
                        .isEqualTo("404 not_found key");
            }
            assertThat(caller.error("{\"id\":\"1\"," + launch("w", "web", SLEEPER) + "}"))
                    .isEqualTo("409 name_taken name");
            assertThat(caller.error("{\"id\":\"1\"," + launch("m", "mine", SLEEPER) + "}"))
                    .isEqualTo("409 name_taken name");
            // What happens to the one's is told to the one alone.
            var stop = owner.send("\"type\":\"stop\",\"name\":\"cut\",\"force\":true,\"timeout_s\":1");
            // The event and the answer come in either order.
            var told = new TreeSet<String>();
            while (told.size() < 2) {
                var message = owner.next();
                if (message.path("re").asString("").equals(stop)
                        || message.path("name").asString("").equals("cut")) {
                    told.add(message.get("type").stringValue());
                }
            }
            assertThat(told).containsExactly("changed", "done");
            owner.done("\"type\":\"delete\",\"name\":\"cut\"");
            caller.send("\"type\":\"ping\"");
            assertThat(caller.next().get("type").stringValue()).isEqualTo("pong");
        }
        hydra.ok("container", "delete", "mine", "--force");
        assertThat(hydra.ok("container", "list", "-o", "name")).isEqualTo("web\n");
    }

    @Test
    @Order(4)
    void whatThePolicyDoesNotGrantIsDeniedAndOnRecord() throws IOException {
        try (var caller = Caller.open(url, ci)) {
            assertThat(caller.error("{\"id\":\"1\","
                            + launch(
                                    "mount",
                                    "mount",
                                    SLEEPER.replace(
                                            "\"image\"",
                                            "\"mounts\":[{\"source\":\"/etc\",\"target\":\"/host\"}],\"image\""))
                            + "}"))
                    .isEqualTo("403 denied");
            assertThat(caller.error(
                            "{\"id\":\"1\"," + launch("net", "net", SLEEPER.replace("\"none\"", "\"host\"")) + "}"))
                    .isEqualTo("403 denied");
            assertThat(caller.error("{\"id\":\"1\","
                            + launch("big", "big", SLEEPER.replace("\"image\"", "\"memory_mib\":65,\"image\"")) + "}"))
                    .isEqualTo("403 not_allowed");
        }
        assertThat(audit().filter(e -> e.get("outcome").asString().equals("denied"))
                        .map(e -> e.get("actor").asString() + " "
                                + e.get("target").asString()))
                .contains("token:ci mount", "token:ci net", "token:ci big");
    }

    /** What the trail holds. */
    private static Stream<JsonNode> audit() throws IOException {
        return Files.readAllLines(hydra.home().resolve("logs/audit.jsonl")).stream()
                .map(JsonMapper.shared()::readTree);
    }

    @Test
    @Order(5)
    void asMuchAsATokenMayHaveAndNotOneMore() {
        try (var caller = Caller.open(url, ci)) {
            for (var name : List.of("two", "three")) {
                caller.send(launch(name, name, SLEEPER));
                caller.next("ready");
            }
            assertThat(caller.error("{\"id\":\"1\"," + launch("four", "four", SLEEPER) + "}"))
                    .isEqualTo("403 too_many_instances");
            for (var name : List.of("two", "three")) {
                caller.done("\"type\":\"delete\",\"name\":\"" + name + "\",\"force\":true");
            }
            caller.send(launch("four", "four", SLEEPER));
            caller.next("ready");
            assertThat(caller.error("{\"id\":\"1\",\"type\":\"delete\",\"name\":\"four\"}"))
                    .isEqualTo("409 conflict");
            caller.done("\"type\":\"stop\",\"name\":\"four\",\"timeout_s\":0,\"force\":true");
            caller.done("\"type\":\"delete\",\"name\":\"four\"");
        }
    }

    @Test
    @Order(6)
    void aLaunchThatIsCancelledIsUndoneAndOthersWaitTheirTurn() {
        try (var caller = Caller.open(url, other)) {
            caller.send(launch("a", "a", stuck()));
            caller.send(launch("b", "b", stuck()));
            caller.next(m -> m.path("key").asString("").equals("b"));
            caller.sendRaw("{\"id\":\"c\"," + launch("c", "c", stuck()) + "}");
            var refused = caller.next("error");
            assertThat(refused.get("reason").stringValue()).isEqualTo("too_many_operations");
            assertThat(refused.get("retry_after_ms").asInt()).isPositive();
            assertThat(Caller.status(hydra).get("operations").asInt()).isEqualTo(2);
            for (var key : List.of("a", "b")) {
                caller.send("\"type\":\"cancel\",\"key\":\"" + key + "\"");
                var failed = caller.next(m -> m.get("type").stringValue().equals("failed")
                        && m.get("key").stringValue().equals(key));
                assertThat(failed.get("error").get("reason").stringValue()).isEqualTo("cancelled");
            }
            assertThat(caller.error("{\"id\":\"1\",\"type\":\"cancel\",\"key\":\"a\"}"))
                    .isEqualTo("409 not_running key");
            caller.send(launch("c", "c", SLEEPER));
            caller.next("ready");
            caller.done("\"type\":\"delete\",\"name\":\"c\",\"force\":true");
        }
        assertThat(hydra.ok("container", "list", "-o", "name")).isEqualTo("web\n");
    }

    @Test
    @Order(7)
    void theFirstPromptIsAnsweredInTheWorkspace() {
        try (var caller = Caller.open(url, other)) {
            caller.send(launch("m", "talk", SLEEPER + ",\"model\":\"ollama:echo\",\"prompt\":\"good morning\""));
            var ready = caller.next(m -> m.get("type").stringValue().matches("ready|failed"));
            assertThat(ready.path("answer").asString("")).as(ready.toString()).isEqualTo("good morning");
            assertThat(ready.get("instance").get("model").stringValue()).isEqualTo("ollama:echo");
            assertThat(hydra.ok("workspace", "list", "-o", "name")).isEqualTo("talk\n");
            caller.done("\"type\":\"delete\",\"name\":\"talk\",\"force\":true");
            caller.send(launch("n", "mute", SLEEPER + ",\"model\":\"ollama:none-such\",\"prompt\":\"hello?\""));
            ready = caller.next(m -> m.get("type").stringValue().matches("ready|failed"));
            assertThat(ready.get("answer_error").get("code").asInt())
                    .as(ready.toString())
                    .isEqualTo(404);
            caller.done("\"type\":\"delete\",\"name\":\"mute\",\"force\":true");
        }
    }

    @Test
    @Order(8)
    void aDaemonThatDiesLeavesALaunchFailedAndNothingBehind() throws IOException {
        try (var caller = Caller.open(url, other)) {
            caller.ask(launch("crash", "crash", stuck()));
            silence.accept();
            hydra.killDaemon();
            assertThat(caller.closeCode()).isEqualTo(1006);
        }
        restarted();
        try (var caller = Caller.open(url, other)) {
            var again = caller.ask(launch("crash", "crash", stuck()));
            assertThat(again.get("state").stringValue()).isEqualTo("failed");
            var failed = caller.next("failed");
            assertThat(failed.get("error").get("reason").stringValue()).isEqualTo("interrupted");
            assertThat(failed.get("error").get("code").asInt()).isEqualTo(503);
        }
        Tmux.eventually(
                "what it had begun is removed",
                () -> hydra.ok("container", "list", "-o", "name").equals("web\n"));
        try (var caller = Caller.open(url, ci)) {
            assertThat(caller.ask(launch("one", "web", SLEEPER)).get("state").stringValue())
                    .isEqualTo("ready");
            assertThat(caller.ask("\"type\":\"show\",\"name\":\"web\"")
                            .get("instance")
                            .get("state")
                            .stringValue())
                    .isEqualTo("running");
        }
    }

    @Test
    @Order(9)
    void aDaemonThatIsStoppedUndoesWhatItWasAbout() throws IOException {
        try (var caller = Caller.open(url, other)) {
            caller.ask(launch("stop", "stop", stuck()));
            silence.accept();
            hydra.ok("daemon", "stop");
            caller.closeCode();
        }
        assertThat(hydra.ok("container", "list", "-o", "name")).isEqualTo("web\n");
        restarted();
        try (var caller = Caller.open(url, other)) {
            caller.send(launch("stop", "stop", stuck()));
            assertThat(caller.next("failed").get("error").get("reason").stringValue())
                    .isEqualTo("interrupted");
        }
    }

    @Test
    @Order(10)
    void ourOwnClientLaunchesAndListensAndGoesOnWhenItIsCut() throws Exception {
        var message = hydra.home().resolve("sent.json");
        Files.writeString(message, "{\"name\":\"sent\"," + SLEEPER + "}");
        var sent = send(message.toString(), other, "--key", "sent", "-o", "json");
        assertThat(sent.status()).as(sent.err()).isZero();
        var lines = sent.out().lines().map(JsonMapper.shared()::readTree).toList();
        assertThat(lines.getFirst().get("type").stringValue()).isEqualTo("accepted");
        assertThat(lines.getLast().get("type").stringValue()).isEqualTo("ready");
        lines.forEach(l -> assertThat(Caller.violations(l)).isEmpty());
        // For a person: stages on stderr, the result on stdout; and nothing is run again.
        var again = send(message.toString(), other, "--key", "sent");
        assertThat(again.status()).isZero();
        assertThat(again.out()).isEqualTo("sent running\n");
        assertThat(again.err()).contains("accepted as sent, which is ready").doesNotContain(other);

        // Cut off after the first stage that was told: it asks again, and hears the rest once.
        try (var cutter = new Cutter(url.getPort())) {
            var through = url.toString().replace(":" + url.getPort(), ":" + cutter.port());
            var resumed = send("-", other, "{\"name\":\"torn\"," + SLEEPER + "}", "-o", "json", "--url", through);
            assertThat(resumed.status()).as(resumed.err()).isZero();
            assertThat(cutter.connections()).isEqualTo(2);
            var events = resumed.out()
                    .lines()
                    .map(JsonMapper.shared()::readTree)
                    .filter(m ->
                            List.of("stage", "ready").contains(m.get("type").stringValue()))
                    .map(m -> m.get("event").asLong())
                    .toList();
            assertThat(events).hasSizeGreaterThan(2).isSorted().doesNotHaveDuplicates();
            assertThat(resumed.out().lines().toList().getLast()).contains("\"type\":\"ready\"");
        }
        assertThat(send("-", other, "{\"type\":\"delete\",\"name\":\"torn\",\"force\":true}")
                        .status())
                .isZero();
        assertThat(send("-", other, "{\"type\":\"list\"}").out()).isEqualTo("sent running\n");
        assertThat(send("-", other, "{\"type\":\"show\",\"name\":\"web\"}").status())
                .isEqualTo(3);
        assertThat(send("-", other, "{\"type\":\"reboot\"}").status()).isEqualTo(2);
        assertThat(send("-", other, "{\"name\":\"web\"," + SLEEPER + "}").status())
                .isEqualTo(4);
        assertThat(send("-", other, "{\"name\":\"host\"," + SLEEPER.replace("\"none\"", "\"host\"") + "}")
                        .status())
                .isEqualTo(6);
        assertThat(send("-", other.substring(0, 50) + "AAAAAAAAA", "{\"type\":\"ping\"}")
                        .status())
                .isEqualTo(6);
        assertThat(send("-", other, "{\"type\":\"delete\",\"name\":\"sent\",\"force\":true}")
                        .status())
                .isZero();
        var nowhere = hydra.runWith(
                "{\"type\":\"ping\"}", "launch", "send", "-", "--url", "ws://127.0.0.1:1", "--retry", "0");
        assertThat(nowhere.status()).isEqualTo(2); // no token
        assertThat(nowhere.err()).contains("HYDRA_TOKEN");
    }

    /** A way to the endpoint whose first connection ends once a stage was told on it. */
    private static final class Cutter implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final AtomicInteger connections = new AtomicInteger();

        Cutter(int target) throws IOException {
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        var client = server.accept();
                        var first = connections.incrementAndGet() == 1;
                        var endpoint = new Socket(InetAddress.getLoopbackAddress(), target);
                        Thread.ofVirtual().start(() -> copy(client, endpoint, false));
                        Thread.ofVirtual().start(() -> copy(endpoint, client, first));
                    }
                } catch (IOException e) {
                    // Closed.
                }
            });
        }

        int port() {
            return server.getLocalPort();
        }

        int connections() {
            return connections.get();
        }

        private static void copy(Socket from, Socket to, boolean cut) {
            try (from;
                    to) {
                var bytes = new byte[8192];
                var told = new StringBuilder();
                int read;
                while (!(cut && told.indexOf("\"stage\"") >= 0)
                        && (read = from.getInputStream().read(bytes)) >= 0) {
                    to.getOutputStream().write(bytes, 0, read);
                    told.append(new String(bytes, 0, read, StandardCharsets.ISO_8859_1));
                }
            } catch (IOException e) {
                // The other side ended it.
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }

    /** Runs {@code launch send}; a third argument that is JSON goes to its standard input. */
    private static Hydra.Ended send(String file, String secret, String... more) throws IOException {
        var token = hydra.home().resolve("secret");
        Files.writeString(token, secret);
        var argv = new ArrayList<>(List.of("launch", "send", file, "--token-file", token.toString(), "--retry", "5"));
        if (!List.of(more).contains("--url")) {
            argv.addAll(List.of("--url", url.toString()));
        }
        var input = file.equals("-") ? more[0] : "";
        argv.addAll(List.of(more).subList(file.equals("-") ? 1 : 0, more.length));
        return hydra.runWith(input, argv.toArray(String[]::new));
    }

    @Test
    @Order(11)
    void theExamplesOfTheDocumentationWork() throws IOException {
        try (var owner = Caller.open(url, ci)) {
            owner.done("\"type\":\"delete\",\"name\":\"web\",\"force\":true");
        }
        var text = Files.readString(java.nio.file.Path.of("docs/launch-api.md"));
        var blocks = java.util.regex.Pattern.compile("```json\n(.*?)```", java.util.regex.Pattern.DOTALL)
                .matcher(text);
        var told = new java.util.TreeMap<String, String>();
        try (var caller = Caller.open(url, other)) {
            while (blocks.find()) {
                var example = JsonMapper.shared().readTree(blocks.group(1));
                assertThat(Caller.violations(example)).as(blocks.group(1)).isEmpty();
                if (example.has("id")) {
                    caller.sendRaw(example.toString());
                    var answer = caller.next(m -> m.path("re").equals(example.get("id")));
                    if (answer.get("type").stringValue().equals("accepted")) {
                        answer = caller.next(m -> m.get("type").stringValue().matches("ready|failed"));
                    }
                    told.put(
                            example.get("id").stringValue() + " "
                                    + example.get("type").stringValue(),
                            answer.get("type").stringValue());
                }
            }
        }
        assertThat(told.toString())
                .as("without libvirt there is no VM, and what has ended cannot be cancelled")
                .isEqualTo(
                        "{1 launch=ready, 2 launch=failed, 3 list=instances, 4 show=instance, 5 subscribe=subscribed, "
                                + "6 stop=done, 7 delete=done, 8 cancel=error, 9 ping=pong}");
    }
}
