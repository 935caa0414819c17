package dev.hydravisor.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.RawWebSocket;
import dev.hydravisor.env.Tmux;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** How much is too much, at the boundary: small limits, a real daemon, TLS. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LaunchLimitsIT {
    private static final int MESSAGES = 40;

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @SuppressWarnings("NullAway.Init")
    private static URI url;

    @BeforeAll
    static void start() throws IOException {
        hydra = Hydra.start(Map.of(
                "HYDRA_LIBVIRT_URI", "qemu+unix:///system?socket=/nowhere", "HYDRA_CONTAINERD_ADDRESS", "/nowhere"));
        Files.writeString(hydra.home().resolve("config.yaml"), """
                launch:
                  port: 0
                  tls:
                    self-signed: true
                  limits:
                    handshakes: 30/30s
                    messages: %d/40s
                    launches: 2/6s
                    connections-per-token: 3
                    connections: 5
                    idle: 8s
                    ping: 3s
                """.formatted(MESSAGES));
        url = Caller.url(hydra);
    }

    @AfterAll
    static void stop() {
        hydra.close();
    }

    private static RawWebSocket.Response handshake(String token) {
        try (var socket = RawWebSocket.handshake(url, RawWebSocket.headers(url, token))) {
            return socket.response();
        }
    }

    private static void sleep(JsonNode error) throws InterruptedException {
        Thread.sleep(error.get("retry_after_ms").asLong());
    }

    @Test
    @Order(1)
    void theCertificateIsTheOneWhoseFingerprintIsShown() throws IOException {
        assertThat(url.getScheme()).isEqualTo("wss");
        var fingerprint = Caller.status(hydra).get("fingerprint").stringValue();
        assertThat(fingerprint).matches("([0-9A-F]{2}:){31}[0-9A-F]{2}");
        var token = hydra.home().resolve("secret");
        Files.writeString(token, Caller.token(hydra, "pinned"));
        var argv = new ArrayList<>(List.of(
                "launch", "send", "-", "--url", url.toString(), "--token-file", token.toString(), "--retry", "0"));
        var untrusted = hydra.runWith("{\"type\":\"ping\"}", argv.toArray(String[]::new));
        assertThat(untrusted.status()).as(untrusted.err()).isEqualTo(6);
        assertThat(untrusted.err()).contains("is not to be trusted", "--fingerprint");
        argv.addAll(List.of("--fingerprint", fingerprint));
        var trusted = hydra.runWith("{\"type\":\"ping\"}", argv.toArray(String[]::new));
        assertThat(trusted.status()).as(trusted.err()).isZero();
        assertThat(trusted.out()).isEqualTo("pong\n");
        // Not a word without TLS.
        try (var plain = new java.net.Socket(url.getHost(), url.getPort())) {
            plain.setSoTimeout(5000);
            plain.getOutputStream()
                    .write("GET /launch HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            var answer = new String(plain.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            assertThat(answer).doesNotContain("HTTP/1.1 401", "HTTP/1.1 101");
        } catch (java.net.SocketException e) {
            assertThat(e).hasMessageContaining("reset");
        }
    }

    @Test
    @Order(2)
    void soManyConnectionsAndNotOneMore() {
        var first = Caller.token(hydra, "first");
        var second = Caller.token(hydra, "second");
        var open = new ArrayList<Caller>();
        try {
            for (int i = 0; i < 3; i++) {
                open.add(Caller.open(url, first));
            }
            var refused = handshake(first);
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.body()).contains("this token has 3 connections");
            assertThat(Integer.parseInt(refused.header("retry-after"))).isPositive();
            open.add(Caller.open(url, second));
            open.add(Caller.open(url, second));
            assertThat(handshake(second).body()).contains("there are 5 connections");
            assertThat(Caller.status(hydra).get("connections").asInt()).isEqualTo(5);
            open.removeFirst().close();
            Tmux.eventually(
                    "it is gone", () -> Caller.status(hydra).get("connections").asInt() == 4);
            open.add(Caller.open(url, first));
            open.forEach(c -> assertThat(c.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong"));
        } finally {
            open.forEach(Caller::close);
        }
    }

    @Test
    @Order(3)
    void soManyMessagesOfATokenAndNotOneMoreUntilTheRefill() throws Exception {
        var token = Caller.token(hydra, "talker");
        var other = Caller.token(hydra, "quiet");
        try (var caller = Caller.open(url, token);
                var bystander = Caller.open(url, other)) {
            for (int i = 0; i < MESSAGES; i++) {
                caller.sendRaw("{\"id\":\"p\",\"type\":\"ping\"}");
            }
            for (int i = 0; i < MESSAGES; i++) {
                assertThat(caller.next().get("type").stringValue())
                        .as("message " + (i + 1))
                        .isEqualTo("pong");
            }
            caller.sendRaw("{\"id\":\"p\",\"type\":\"ping\"}");
            var refused = caller.next();
            assertThat(refused.get("code").asInt()).isEqualTo(429);
            assertThat(refused.get("retry_after_ms").asLong()).isBetween(1L, 1001L);
            assertThat(bystander.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong");
            sleep(refused);
            assertThat(caller.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong");
            // Who does not listen is not spoken to for ever.
            for (int i = 0; i < 2 * MESSAGES + 10; i++) {
                try {
                    caller.socket.send("{\"id\":\"p\",\"type\":\"ping\"}");
                } catch (IOException e) {
                    break; // closed already
                }
            }
            assertThat(caller.closeCode()).isEqualTo(1008);
            assertThat(bystander.ask("\"type\":\"ping\"").get("type").stringValue())
                    .isEqualTo("pong");
        }
    }

    @Test
    @Order(4)
    void soManyLaunchesOfATokenAndNotOneMoreUntilTheRefill() throws Exception {
        var token = Caller.token(hydra, "launcher");
        try (var caller = Caller.open(url, token)) {
            for (int i = 0; i < 2; i++) {
                caller.ask(launch(i));
                assertThat(caller.next("failed").get("error").get("code").asInt())
                        .as("no containerd")
                        .isEqualTo(503);
            }
            var refused = caller.ask(launch(2));
            assertThat(refused.get("reason").stringValue()).isEqualTo("too_many_launches");
            // What was launched before may be asked for as often as one likes.
            assertThat(caller.ask(launch(0)).get("type").stringValue()).isEqualTo("accepted");
            sleep(refused);
            assertThat(caller.ask(launch(2)).get("type").stringValue()).isEqualTo("accepted");
        }
    }

    private static String launch(int i) {
        return "\"type\":\"launch\",\"key\":\"k" + i + "\",\"name\":\"n" + i
                + "\",\"container\":{\"image\":\"busybox\"}";
    }

    @Test
    @Order(5)
    void aConnectionThatAsksNothingIsClosedUnlessItSubscribed() {
        var token = Caller.token(hydra, "idler");
        try (var idle = Caller.open(url, token);
                var listener = Caller.open(url, token)) {
            listener.ask("\"type\":\"subscribe\"");
            // It listens meanwhile, and so answers pings.
            var pong = java.util.concurrent.CompletableFuture.supplyAsync(() -> listener.next("pong"));
            assertThat(idle.closeCode()).isEqualTo(1001);
            listener.send("\"type\":\"ping\"");
            assertThat(pong.join().has("re")).isTrue();
        }
    }

    @Test
    @Order(6)
    void aConnectionWhoseOtherEndIsGoneIsDropped() {
        var token = Caller.token(hydra, "gone");
        try (var silent = Caller.open(url, token)) {
            silent.ask("\"type\":\"subscribe\"");
            // It neither reads nor answers pings from now on, as when the cable was pulled.
            Tmux.eventually("it is dropped", () -> count("dropped_dead") == 1);
            Tmux.eventually(
                    "it is forgotten",
                    () -> Caller.status(hydra).get("connections").asInt() == 0);
        }
    }

    private static int count(String what) {
        return Caller.status(hydra).get("counts").path(what).asInt(0);
    }

    @Test
    @Order(9)
    void soManyHandshakesOfAnAddressAndNotOneMoreUntilTheRefill() throws Exception {
        var passed = 0;
        RawWebSocket.Response answer;
        do {
            answer = handshake("hyd_none");
            passed++;
        } while (answer.status() == 401 && passed < 200);
        assertThat(answer.status()).isEqualTo(429);
        var wait = JsonMapper.shared()
                .readTree(answer.body())
                .get("retry_after_ms")
                .asLong();
        assertThat(wait).isBetween(1L, 1001L);
        Thread.sleep(wait);
        assertThat(handshake("hyd_none").status()).isEqualTo(401);
    }

    @Test
    @Order(10)
    void anAddressThatOthersReachNeedsTlsAndATakenPortIsSaidSo() throws IOException {
        hydra.ok("launch", "disable");
        hydra.ok("daemon", "stop");
        Files.writeString(hydra.home().resolve("config.yaml"), "launch:\n  port: 0\n  address: 0.0.0.0\n");
        var refused = hydra.run("launch", "enable");
        assertThat(refused.status()).isEqualTo(2);
        assertThat(refused.err()).contains("needs TLS", "launch.tls").doesNotContain("Exception");
        assertThat(Caller.status(hydra).get("state").stringValue()).isEqualTo("failed");
        hydra.ok("daemon", "stop");
        try (var taken = new ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress())) {
            // Told to be open always: the daemon starts all the same, and says why it is not.
            Files.writeString(
                    hydra.home().resolve("config.yaml"),
                    "launch:\n  enabled: true\n  port: " + taken.getLocalPort() + "\n");
            Tmux.eventually(
                    "it was tried",
                    () -> Caller.status(hydra).get("state").stringValue().equals("failed"));
            assertThat(Caller.status(hydra).get("trouble").stringValue())
                    .isEqualTo("port " + taken.getLocalPort()
                            + " of 127.0.0.1 is in use; end what listens there, or set `launch.port` to another");
        }
    }

    @Test
    @Order(11)
    void aGivenCertificateIsShownAndServesAndAKeyOfAnotherIsSaidSo() throws Exception {
        hydra.ok("daemon", "stop");
        var certificate = hydra.home().resolve("given.pem");
        var key = hydra.home().resolve("given.key");
        var made = KeyStore.getInstance(
                hydra.home().resolve("keys/launch-self-signed.p12").toFile(), "hydravisor".toCharArray());
        var alias = made.aliases().nextElement();
        pem(certificate, "CERTIFICATE", made.getCertificate(alias).getEncoded());
        pem(key, "PRIVATE KEY", made.getKey(alias, "hydravisor".toCharArray()).getEncoded());
        Files.writeString(
                hydra.home().resolve("config.yaml"),
                "launch:\n  port: 0\n  tls:\n    certificate: %s\n    key: %s\n".formatted(certificate, key));
        url = Caller.url(hydra);
        assertThat(url.getScheme()).isEqualTo("wss");
        var token = hydra.home().resolve("secret");
        Files.writeString(token, Caller.token(hydra, "given"));
        var sha256 = HexFormat.of()
                .formatHex(MessageDigest.getInstance("SHA-256")
                        .digest(made.getCertificate(alias).getEncoded()));
        var pong = hydra.runWith(
                "{\"type\":\"ping\"}",
                "launch",
                "send",
                "-",
                "--url",
                url.toString(),
                "--token-file",
                token.toString(),
                "--fingerprint",
                sha256);
        assertThat(pong.out()).as(pong.err()).isEqualTo("pong\n");

        hydra.ok("daemon", "stop");
        var stranger = KeyPairGenerator.getInstance("EC").generateKeyPair();
        pem(key, "PRIVATE KEY", stranger.getPrivate().getEncoded());
        var refused = hydra.run("launch", "enable");
        assertThat(refused.status()).isEqualTo(2);
        assertThat(refused.err())
                .contains("the key is not the certificate's", "give a PEM certificate and its key")
                .doesNotContain("Exception");
        Files.delete(key);
        assertThat(hydra.run("launch", "enable").err()).contains("given.key", "are to be PEM files");
    }

    private static void pem(Path file, String kind, byte[] der) throws IOException {
        Files.writeString(
                file,
                "-----BEGIN " + kind + "-----\n" + Base64.getMimeEncoder().encodeToString(der) + "\n-----END " + kind
                        + "-----\n");
    }
}
