package dev.hydravisor.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.RawWebSocket;
import dev.hydravisor.env.Tmux;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The launch endpoint of a real daemon, without a backend: who is let in, what is understood, and what is not. */
class LaunchProtocolIT {
    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @SuppressWarnings("NullAway.Init")
    private static URI url;

    @SuppressWarnings("NullAway.Init")
    private static String token;

    @BeforeAll
    static void start() throws IOException {
        hydra = Hydra.start(Map.of(
                "HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere", "HYDRA_CONTAINERD_ADDRESS", "/nowhere"));
        Files.writeString(hydra.home().resolve("config.yaml"), """
                launch:
                  port: 0
                  hosts: [host.example]
                  origins: ["https://console.example"]
                  limits:
                    handshakes: 100000/1m
                    messages: 1000000/1m
                    message-size: 16KB
                """);
        url = Caller.url(hydra);
        token = Caller.token(hydra, "test");
    }

    @AfterAll
    static void stop() {
        hydra.close();
    }

    private static Map<String, String> headers() {
        return RawWebSocket.headers(url, token);
    }

    private static RawWebSocket.Response handshake(Map<String, String> headers) {
        try (var socket = RawWebSocket.handshake(url, headers)) {
            return socket.response();
        }
    }

    private static RawWebSocket.Response with(String name, String value) {
        var headers = headers();
        headers.put(name, value);
        return handshake(headers);
    }

    private static RawWebSocket.Response without(String name) {
        var headers = headers();
        headers.remove(name);
        return handshake(headers);
    }

    @Test
    void aRightHandshakeNegotiatesTheProtocolAndNoExtension() {
        var answer = with("Sec-WebSocket-Extensions", "permessage-deflate");
        assertThat(answer.status()).isEqualTo(101);
        assertThat(answer.header("sec-websocket-protocol")).isEqualTo("hydra.launch.v1");
        assertThat(answer.header("sec-websocket-extensions")).isEmpty();
        assertThat(with("Sec-WebSocket-Protocol", "chat, hydra.launch.v1").header("sec-websocket-protocol"))
                .isEqualTo("hydra.launch.v1");
    }

    @Test
    void withoutAValidTokenItAnswers401() {
        for (var answer : List.of(
                without("Authorization"),
                with("Authorization", "Bearer "),
                with("Authorization", "Bearer " + token + "x"),
                with(
                        "Authorization",
                        "Bearer " + token.substring(0, token.length() - 1) + (token.endsWith("A") ? "B" : "A")),
                with("Authorization", "Bearer hyd_000000000000_" + "A".repeat(43)),
                with("Authorization", "Basic " + token))) {
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.header("www-authenticate")).isEqualTo("Bearer");
            assertThat(answer.body()).isEqualTo(without("Authorization").body());
        }
    }

    @Test
    void aTokenInTheUrlOpensNothing() {
        var headers = headers();
        headers.remove("Authorization");
        try (var socket = RawWebSocket.handshake(URI.create(url + "?token=" + token), headers)) {
            assertThat(socket.response().status()).isEqualTo(400);
        }
    }

    @Test
    void wrongExpiredAndMissingTokensTakeTheSameTime() throws Exception {
        var expired = Caller.token(hydra, "expired", "--expires", "1s");
        Thread.sleep(1100);
        assertThat(with("Authorization", "Bearer " + expired).status()).isEqualTo(401);
        var wrong = token.substring(0, token.length() - 4) + "AAAA";
        var unknown = "hyd_000000000000_" + "A".repeat(43);
        var kinds = List.of(wrong, expired, unknown, "");
        var took = new ArrayList<List<Long>>();
        kinds.forEach(_ -> took.add(new ArrayList<>()));
        for (int round = 0; round < 120; round++) {
            for (int kind = 0; kind < kinds.size(); kind++) {
                var headers = headers();
                if (kinds.get(kind).isEmpty()) {
                    headers.remove("Authorization");
                } else {
                    headers.put("Authorization", "Bearer " + kinds.get(kind));
                }
                var start = System.nanoTime();
                assertThat(handshake(headers).status()).isEqualTo(401);
                if (round >= 20) {
                    took.get(kind).add(System.nanoTime() - start);
                }
            }
        }
        // The noise of a loaded machine is larger than what a hash takes: the quick half of each kind is compared.
        var quartiles = took.stream()
                .map(t -> t.stream().sorted().toList().get(t.size() / 4))
                .toList();
        var least = quartiles.stream().min(Long::compare).orElseThrow();
        var most = quartiles.stream().max(Long::compare).orElseThrow();
        assertThat(most - least).as("first quartiles in ns: %s", quartiles).isLessThan(Math.max(least / 2, 500_000));
    }

    @Test
    void pagesOfTheWebAndNamesOfOthersAnswer403() {
        assertThat(with("Origin", "https://evil.example").status()).isEqualTo(403);
        assertThat(with("Origin", "null").status()).isEqualTo(403);
        assertThat(with("Origin", "https://console.example").status()).isEqualTo(101);
        assertThat(with("Host", "rebound.example:" + url.getPort()).status()).isEqualTo(403);
        assertThat(with("Host", "host.example:" + url.getPort()).status()).isEqualTo(101);
        assertThat(with("Host", "HOST.example").status()).isEqualTo(101);
        assertThat(with("Host", "127.0.0.1.evil.example").status()).isEqualTo(403);
        assertThat(with("Host", "").status()).isIn(400, 403);
    }

    @Test
    void whatDoesNotSpeakTheProtocolIsAsked426() {
        for (var answer : List.of(
                without("Upgrade"),
                without("Sec-WebSocket-Key"),
                without("Sec-WebSocket-Protocol"),
                with("Sec-WebSocket-Protocol", "hydra.launch.v2"),
                with("Sec-WebSocket-Version", "8"),
                with(":method", "POST"))) {
            assertThat(answer.status()).isEqualTo(426);
            assertThat(answer.header("upgrade")).isEqualTo("websocket");
            assertThat(answer.header("sec-websocket-protocol")).isEqualTo("hydra.launch.v1");
        }
        try (var other = RawWebSocket.handshake(URI.create(url.toString().replace("/launch", "/other")), headers())) {
            assertThat(other.response().status()).isEqualTo(404);
            assertThat(other.response().body()).doesNotContain("Tomcat", "<html");
        }
    }

    @Test
    void everyAnswerBearsTheIdOfItsMessage() {
        try (var caller = Caller.open(url, token)) {
            assertThat(caller.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong");
            assertThat(caller.ask("\"type\":\"list\"").get("instances").size()).isZero();
            assertThat(caller.ask("\"type\":\"subscribe\"").get("event").asInt())
                    .isZero();
            var gone = caller.ask("\"type\":\"show\",\"name\":\"web\"");
            assertThat(gone.get("code").asInt()).isEqualTo(404);
            assertThat(gone.get("field").stringValue()).isEqualTo("name");
        }
    }

    @Test
    void whatIsNoMessageIsRefusedWithTheFieldAtFault() {
        try (var caller = Caller.open(url, token)) {
            var cases = new java.util.LinkedHashMap<String, String>();
            cases.put("", "400 bad_json");
            cases.put("{", "400 bad_json");
            cases.put("[]", "400 bad_json");
            cases.put("\"launch\"", "400 bad_json");
            cases.put("{\"id\":\"1\",\"type\":\"ping\"} {}", "400 bad_json");
            cases.put("{\"id\":\"1\",\"id\":\"2\",\"type\":\"ping\"}", "400 bad_json");
            cases.put("{\"id\":\"1\",\"type\":\"\\ud800\"}", "400 bad_json");
            cases.put("{\"type\":\"ping\"}", "400 missing_field id");
            cases.put("{\"id\":1,\"type\":\"ping\"}", "400 bad_id id");
            cases.put("{\"id\":\"../../x\",\"type\":\"ping\"}", "400 bad_id id");
            cases.put("{\"id\":\"1\"}", "400 missing_field type");
            cases.put("{\"id\":\"1\",\"type\":\"reboot\"}", "400 unknown_type type");
            cases.put("{\"id\":\"1\",\"type\":7}", "400 unknown_type type");
            cases.put("{\"id\":\"1\",\"type\":\"ping\",\"extra\":1}", "400 unknown_field extra");
            cases.put("{\"id\":\"1\",\"type\":\"show\"}", "400 missing_field name");
            cases.put("{\"id\":\"1\",\"type\":\"show\",\"name\":null}", "400 wrong_type name");
            cases.put("{\"id\":\"1\",\"type\":\"show\",\"name\":5}", "400 wrong_type name");
            cases.put("{\"id\":\"1\",\"type\":\"show\",\"name\":\"../etc\"}", "404 not_found name");
            cases.put("{\"id\":\"1\",\"type\":\"subscribe\",\"after\":1.5}", "400 wrong_type after");
            cases.put("{\"id\":\"1\",\"type\":\"subscribe\",\"after\":\"1\"}", "400 wrong_type after");
            cases.put("{\"id\":\"1\",\"type\":\"subscribe\",\"after\":" + "9".repeat(19) + "}", "400 wrong_type after");
            cases.put("{\"id\":\"1\",\"type\":\"subscribe\",\"after\":" + "9".repeat(400) + "}", "413 too_large");
            cases.put("{\"id\":\"1\",\"type\":" + "[".repeat(200) + "]".repeat(200) + "}", "413 too_deep");
            cases.put("{\"id\":\"1\",\"type\":\"cancel\",\"key\":\"none\"}", "404 not_found key");
            cases.put(launch("\"vm\":{\"image\":\"i\"},\"container\":{\"image\":\"i\"}"), "422 bad_value vm");
            cases.put(launch("\"vm\":{}"), "400 missing_field vm.image");
            cases.put(launch("\"vm\":{\"image\":\"/etc/shadow\"}"), "422 bad_value vm.image");
            cases.put(launch("\"vm\":{\"image\":\"i\",\"cpus\":0}"), "422 bad_value vm.cpus");
            cases.put(launch("\"vm\":{\"image\":\"i\",\"cpus\":true}"), "400 wrong_type vm.cpus");
            cases.put(launch("\"vm\":{\"image\":\"i\",\"gpu\":1}"), "400 unknown_field vm.gpu");
            cases.put(launch("\"vm\":{\"image\":\"i\"},\"prompt\":\"hi\""), "422 bad_value prompt");
            cases.put(launch("\"container\":{\"image\":\"i\",\"cpus\":-1}"), "422 bad_value container.cpus");
            cases.put(launch("\"container\":{\"image\":\"i\",\"env\":[\"novalue\"]}"), "422 bad_value container.env");
            cases.put(launch("\"container\":{\"image\":\"i\",\"env\":[null]}"), "400 wrong_type container.env");
            cases.put(
                    launch("\"container\":{\"image\":\"i\",\"workdir\":\"../x\"}"), "422 bad_value container.workdir");
            cases.put(
                    launch("\"container\":{\"image\":\"i\",\"restart\":\"maybe\"}"), "422 bad_value container.restart");
            cases.put(
                    launch("\"container\":{\"image\":\"i\",\"mounts\":[{\"source\":\"/a/../etc\",\"target\":\"/a\"}]}"),
                    "422 bad_value container.mounts.source");
            cases.put(
                    launch("\"container\":{\"image\":\"i\",\"ports\":[{\"host_port\":70000,\"container_port\":1}]}"),
                    "422 bad_value container.ports.host_port");
            cases.put(launch("\"container\":{\"image\":\"i\"}").replace("\"web\"", "\"-web\""), "422 bad_value name");
            cases.put(launch("\"container\":{\"image\":\"i\"}").replace("\"k\"", "\"a b\""), "422 bad_value key");
            cases.forEach(
                    (text, error) -> assertThat(caller.error(text)).as(text).isEqualTo(error));
        }
    }

    private static String launch(String more) {
        return "{\"id\":\"1\",\"type\":\"launch\",\"key\":\"k\",\"name\":\"web\"," + more + "}";
    }

    @Test
    void aTokenMayDoWhatItWasMadeForAndNoMore() {
        var narrow = Caller.token(
                hydra,
                "narrow",
                "--allow",
                "launch,show",
                "--images",
                "debian*,busybox",
                "--max-cpus",
                "1",
                "--max-memory",
                "256M");
        try (var caller = Caller.open(url, narrow)) {
            assertThat(caller.error("{\"id\":\"1\",\"type\":\"list\"}")).isEqualTo("403 not_allowed type");
            assertThat(caller.error("{\"id\":\"1\",\"type\":\"subscribe\"}")).isEqualTo("403 not_allowed type");
            assertThat(caller.error(launch("\"container\":{\"image\":\"alpine\"}")))
                    .isEqualTo("403 not_allowed");
            assertThat(caller.error(launch("\"container\":{\"image\":\"xdebian\"}")))
                    .isEqualTo("403 not_allowed");
            assertThat(caller.error(launch("\"vm\":{\"image\":\"debian-13\",\"cpus\":2}")))
                    .isEqualTo("403 not_allowed");
            assertThat(caller.error(launch("\"container\":{\"image\":\"busybox\",\"memory_mib\":257}")))
                    .isEqualTo("403 not_allowed");
            assertThat(caller.error("{\"id\":\"1\",\"type\":\"show\",\"name\":\"x\"}"))
                    .isEqualTo("404 not_found name");
        }
    }

    @Test
    void aRevokedTokensConnectionEndsWithinASecond() {
        var doomed = Caller.token(hydra, "doomed");
        try (var caller = Caller.open(url, doomed);
                var other = Caller.open(url, token)) {
            caller.ask("\"type\":\"subscribe\"");
            var revoking = java.util.concurrent.CompletableFuture.supplyAsync(() -> {
                hydra.ok("token", "revoke", "doomed");
                return System.nanoTime();
            });
            assertThat(caller.next("error").get("reason").stringValue()).isEqualTo("revoked");
            assertThat(caller.closeCode()).isEqualTo(1008);
            var ended = System.nanoTime();
            assertThat(ended - revoking.join()).isLessThan(Duration.ofSeconds(1).toNanos());
            assertThat(with("Authorization", "Bearer " + doomed).status()).isEqualTo(401);
            assertThat(other.ask("\"type\":\"ping\"").get("type").stringValue()).isEqualTo("pong");
        }
        assertThat(hydra.ok("token", "show", "doomed")).contains("revoked");
        assertThat(hydra.ok("token", "create", "doomed")).startsWith("hyd_");
    }

    @Test
    void aTokenThatExpiresIsPutOut() {
        var brief = Caller.token(hydra, "brief", "--expires", "3s");
        try (var caller = Caller.open(url, brief)) {
            assertThat(caller.next("error").get("reason").stringValue()).isEqualTo("expired");
            assertThat(caller.closeCode()).isEqualTo(1008);
        }
    }

    @Test
    void framesThatBreakTheProtocolEndTheConnection() throws IOException {
        assertThat(closedAfter(s -> s.frame(true, 2, new byte[] {1, 2}))).isEqualTo(1003);
        assertThat(closedAfter(s -> s.frame(true, 2, new byte[5000]))).isEqualTo(1003);
        assertThat(closedAfter(s -> s.frame(true, 1, new byte[] {(byte) 0xc3, 0x28})))
                .isEqualTo(1007);
        assertThat(closedAfter(
                        s -> s.frame(true, 1, ("{\"id\":\"" + "x".repeat(17_000)).getBytes(StandardCharsets.UTF_8))))
                .isEqualTo(1009);
        assertThat(closedAfter(s -> {
                    for (int i = 0; i < 5; i++) {
                        s.frame(false, i == 0 ? 1 : 0, new byte[4000]);
                    }
                }))
                .isEqualTo(1009);
        assertThat(closedAfter(s -> {
                    for (int i = 0; i < 1200; i++) {
                        s.frame(false, i == 0 ? 1 : 0, new byte[0]);
                    }
                }))
                .isEqualTo(1009);
        assertThat(closedAfter(s -> s.raw(new byte[] {(byte) 0x81, 0x01, 'x'})))
                .as("unmasked")
                .isEqualTo(1002);
        assertThat(closedAfter(s -> s.raw(new byte[] {(byte) 0xf1, (byte) 0x80, 0, 0, 0, 0})))
                .as("reserved bits")
                .isEqualTo(1002);
        assertThat(closedAfter(s -> s.frame(true, 0, new byte[0])))
                .as("nothing to continue")
                .isEqualTo(1002);
    }

    @FunctionalInterface
    private interface Deed {
        void on(RawWebSocket socket) throws IOException;
    }

    private static int closedAfter(Deed deed) throws IOException {
        try (var socket = RawWebSocket.open(url, token)) {
            try {
                deed.on(socket);
            } catch (IOException e) {
                // It was closed before all was sent.
            }
            return socket.closeCode();
        }
    }

    @Test
    void aMessageMayComeInPieces() throws IOException {
        try (var caller = Caller.open(url, token)) {
            var bytes =
                    "{\"id\":\"größe\",\"type\":\"ping\"}".replace("größe", "a").getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < bytes.length; i++) {
                caller.socket.frame(i == bytes.length - 1, i == 0 ? 1 : 0, Arrays.copyOfRange(bytes, i, i + 1));
            }
            assertThat(caller.next("pong").get("re").stringValue()).isEqualTo("a");
        }
    }

    @Test
    void aSlowReaderIsDroppedAndNobodyElseNoticesIt() throws IOException {
        var slow = Caller.token(hydra, "slow");
        // Its kernel's buffer is small, and it never reads: what it is told piles up at the other end.
        try (var reader = RawWebSocket.handshake(url, RawWebSocket.headers(url, slow), 4096);
                var bystander = Caller.open(url, token)) {
            assertThat(reader.response().status()).isEqualTo(101);
            var question = "{\"id\":\"" + "x".repeat(64) + "\",\"type\":\"" + "y".repeat(60) + "\"}";
            for (int asked = 0; asked < 40_000; asked++) {
                try {
                    reader.send(question);
                } catch (IOException e) {
                    break; // dropped
                }
                if (asked % 200 == 0) {
                    var before = System.nanoTime();
                    assertThat(bystander.ask("\"type\":\"ping\"").get("type").stringValue())
                            .isEqualTo("pong");
                    assertThat(System.nanoTime() - before).isLessThan(2_000_000_000L);
                }
            }
            Tmux.eventually(
                    "it is dropped",
                    () -> Caller.status(hydra)
                                    .get("counts")
                                    .path("dropped_slow")
                                    .asInt(0)
                            == 1);
            Tmux.eventually(
                    "and forgotten",
                    () -> Caller.status(hydra).get("connections").asInt() == 1);
        }
    }

    @Test
    void theSecretIsKeptNowhere() throws Exception {
        assertThat(hydra.ok("token", "list", "-o", "json"))
                .contains("\"name\" : \"test\"")
                .doesNotContain(token, "hyd_");
        hydra.ok("daemon", "stop");
        try (var connection = DriverManager.getConnection(
                        "jdbc:h2:file:" + hydra.home().resolve("db/hydra"), "hydra", "");
                var rows = connection.createStatement().executeQuery("select id, salt, hash from token")) {
            while (rows.next()) {
                assertThat(rows.getBytes("salt")).hasSize(16);
                assertThat(rows.getBytes("hash")).hasSize(32);
            }
        }
        try (var files = Files.walk(hydra.home())) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
                        .as(file.toString())
                        .doesNotContain(token.substring(17));
            }
        }
        // Enabled once, it is open again when the daemon is; another port, for it was told to take any.
        Tmux.eventually(
                "the endpoint opens again",
                () -> Caller.status(hydra).get("state").stringValue().equals("open"));
        url = Caller.url(hydra);
        assertThat(handshake(headers()).status()).isEqualTo(101);
        hydra.ok("launch", "disable");
        assertThat(Caller.status(hydra).get("state").stringValue()).isEqualTo("closed");
        url = Caller.url(hydra);
    }
}
