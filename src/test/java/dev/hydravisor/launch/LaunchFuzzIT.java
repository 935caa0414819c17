package dev.hydravisor.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.RawWebSocket;
import dev.hydravisor.env.Tmux;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/**
 * Nonsense and crowds against a live daemon. {@code -Dhydra.fuzz.frames=N} sends more than 20,000 frames, {@code -Dhydra.fuzz.seed=N}
 * the very ones of an earlier run.
 */
class LaunchFuzzIT {
    private static final int FRAMES = Integer.getInteger("hydra.fuzz.frames", 20_000);
    private static final long SEED = Long.getLong("hydra.fuzz.seed", System.nanoTime());
    private static final int BATCH = 50;
    private static final int SPARE_HEAP_KIB = 24 * 1024;
    private static final int SPARE_THREADS = 24;
    private static final int CONNECTIONS = 1000;
    private static final int SUBSCRIBERS = 200;

    private static final List<String> SEEDS = List.of(
            "{\"id\":\"1\",\"type\":\"launch\",\"key\":\"k\",\"name\":\"fuzz\",\"container\":{\"image\":\"busybox\",\"cpus\":1.5,\"memory_mib\":64,\"env\":[\"A=b\"],\"mounts\":[{\"source\":\"/a\",\"target\":\"/b\"}],\"ports\":[{\"host_port\":80,\"container_port\":80}],\"command\":[\"sh\"]}}",
            "{\"id\":\"2\",\"type\":\"launch\",\"key\":\"k2\",\"name\":\"fuzz\",\"vm\":{\"image\":\"debian\",\"cpus\":1,\"memory_mib\":512,\"user_data\":\"#cloud-config\"},\"model\":\"ollama:x\",\"prompt\":\"hi\"}",
            "{\"id\":\"3\",\"type\":\"list\"}",
            "{\"id\":\"4\",\"type\":\"show\",\"name\":\"fuzz\"}",
            "{\"id\":\"5\",\"type\":\"stop\",\"name\":\"fuzz\",\"force\":true,\"timeout_s\":3}",
            "{\"id\":\"6\",\"type\":\"delete\",\"name\":\"fuzz\",\"force\":false}",
            "{\"id\":\"7\",\"type\":\"subscribe\",\"after\":0}",
            "{\"id\":\"8\",\"type\":\"cancel\",\"key\":\"k\"}",
            "{\"id\":\"9\",\"type\":\"ping\"}");
    private static final List<String> VALUES = List.of(
            "null",
            "true",
            "-1",
            "0",
            "1e999",
            "-1e-999",
            "9223372036854775808",
            "0.1",
            "[]",
            "{}",
            "[[]]",
            "\"\"",
            "\"../../../etc/passwd\"",
            "\"/proc/self/environ\"",
            "\"/a/../../etc\"",
            "\"a\\u0000b\"",
            "\"\\ud800\"",
            "\"\\u001b[2J\"",
            "\"$(reboot)\"",
            "\"; rm -rf /\"",
            "\"%s%n%x\"",
            "\"' or 1=1 --\"",
            "\"${jndi:ldap://127.0.0.1/x}\"",
            "\"" + "x".repeat(5000) + "\"",
            "9".repeat(100),
            "[".repeat(40) + "]".repeat(40),
            "{\"a\":".repeat(40) + "1" + "}".repeat(40));
    private static final Pattern FIELD = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"|-?[0-9.]+|true|false");

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
                  limits:
                    handshakes: 1000000/1s
                    messages: 1000000/1s
                    launches: 1000000/1s
                    connections: 1100
                    connections-per-token: 1100
                    message-size: 16KB
                """);
        url = Caller.url(hydra);
    }

    @AfterAll
    static void stop() {
        hydra.close();
    }

    @Test
    void nonsenseIsRefusedAndLeavesNothingBehind() throws Exception {
        var token = Caller.token(hydra, "fuzz");
        var random = new Random(SEED);
        fuzz(random, token, 1000); // what is loaded once is loaded
        var threads = threads();
        var heap = heap();
        fuzz(random, token, FRAMES);
        assertThat(heap()).as("heap in KiB, seed %d", SEED).isLessThan(heap + SPARE_HEAP_KIB);
        // Tomcat lets a thread that pinged a connection linger for a second.
        Tmux.eventually("threads as few as before, seed " + SEED, () -> threads() < threads + SPARE_THREADS);
        assertThat(hydra.ok("list", "-o", "name")).isEmpty();
        assertThat(hydra.ok("token", "list", "-o", "name")).contains("fuzz");
        assertThat(Caller.status(hydra).get("counts").has("refused")).isTrue();
        assertThat(Files.readString(hydra.home().resolve("logs/hydrad.log")))
                .as("seed %d", SEED)
                .doesNotContain("ERROR", "\tat ");
    }

    private static void fuzz(Random random, String token, int frames) throws IOException {
        @Nullable RawWebSocket socket = null;
        try {
            for (int sent = 0; sent < frames; sent += BATCH) {
                if (socket == null) {
                    socket = RawWebSocket.open(url, token);
                }
                var whole = true;
                try {
                    for (int i = 0; i < BATCH && whole; i++) {
                        whole = nonsense(random, socket);
                    }
                    socket.send("{\"id\":\"end" + sent + "\",\"type\":\"ping\"}");
                } catch (IOException e) {
                    // It was closed, as it may be; what it said before is read all the same.
                }
                if (!listen(socket, "end" + sent)) {
                    socket.close();
                    socket = null;
                }
            }
        } catch (SocketTimeoutException e) {
            throw new AssertionError("no answer any more, seed " + SEED, e);
        } finally {
            if (socket != null) {
                socket.close();
            }
        }
    }

    /** Reads until the ping is answered, or the connection has ended. */
    private static boolean listen(RawWebSocket socket, String id) throws IOException {
        while (true) {
            var text = socket.next();
            if (text == null) {
                assertThat(socket.closeCode()).as("seed %d", SEED).isIn(1002, 1003, 1006, 1007, 1008, 1009, 1013);
                return false;
            }
            var message = JsonMapper.shared().readTree(text);
            assertThat(Caller.violations(message)).as("%s, seed %d", text, SEED).isEmpty();
            assertThat(text)
                    .as("seed %d", SEED)
                    .doesNotContain("Exception", "\\tat ", "dev.hydravisor", "tools.jackson", "\"internal\"", "\u001b");
            if (message.path("re").asString("").equals(id)) {
                return true;
            }
        }
    }

    /** Sends one frame or message; false when it must end the connection. */
    private static boolean nonsense(Random random, RawWebSocket socket) throws IOException {
        var seed = SEEDS.get(random.nextInt(SEEDS.size()));
        switch (random.nextInt(100)) {
            case 0 -> {
                socket.frame(true, 1, new byte[] {'"', (byte) 0xc0, (byte) 0xaf, '"'});
                return false;
            }
            case 1 -> {
                socket.frame(true, 1, new byte[17_000 + random.nextInt(60_000)]);
                return false;
            }
            case 2 -> {
                var noise = new byte[1 + random.nextInt(200)];
                random.nextBytes(noise);
                noise[0] = (byte) (0x80 | (3 + random.nextInt(5))); // no opcode there is
                socket.raw(noise);
                return false;
            }
            case 3 -> {
                socket.frame(true, 2, new byte[random.nextInt(300)]);
                return false;
            }
            case 4, 5, 6, 7, 8 -> {
                var bytes = seed.getBytes(StandardCharsets.UTF_8);
                int cut = 1 + random.nextInt(bytes.length - 1);
                socket.frame(false, 1, java.util.Arrays.copyOfRange(bytes, 0, cut));
                socket.frame(true, 9, new byte[random.nextInt(100)]);
                socket.frame(true, 0, java.util.Arrays.copyOfRange(bytes, cut, bytes.length));
            }
            case 9, 10, 11 -> {
                int deep = random.nextInt(3000);
                socket.send("{\"id\":\"1\",\"type\":" + "[".repeat(deep) + "]".repeat(random.nextInt(deep + 1)) + "}");
            }
            default -> socket.send(random.nextInt(3) == 0 ? garbled(random, seed) : replaced(random, seed));
        }
        return true;
    }

    /** A few characters made others. */
    private static String garbled(Random random, String seed) {
        var text = new StringBuilder(seed);
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
            text.setCharAt(random.nextInt(text.length()), (char) (1 + random.nextInt(0x2fff)));
        }
        return text.toString();
    }

    /** A name or a value made another. */
    private static String replaced(Random random, String seed) {
        var parts = FIELD.matcher(seed).results().toList();
        var part = parts.get(random.nextInt(parts.size()));
        return seed.substring(0, part.start()) + VALUES.get(random.nextInt(VALUES.size())) + seed.substring(part.end());
    }

    private static int threads() {
        try (var lines = Files.lines(Path.of("/proc/" + hydra.daemon().pid() + "/status"))) {
            return lines.filter(l -> l.startsWith("Threads:"))
                    .mapToInt(l -> Integer.parseInt(l.replaceAll("\\D", "")))
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the daemon's heap holds after a collection, in KiB. */
    private static long heap() throws IOException {
        jcmd("GC.run");
        var info = Pattern.compile("used ([0-9]+)K").matcher(jcmd("GC.heap_info"));
        var sum = 0L;
        while (info.find()) {
            sum += Long.parseLong(info.group(1));
        }
        assertThat(sum).isPositive();
        return sum;
    }

    private static String jcmd(String command) throws IOException {
        var process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/jcmd").toString(),
                        Long.toString(hydra.daemon().pid()),
                        command)
                .redirectErrorStream(true)
                .start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void aThousandConnectionsAreHeldAndTwoHundredOfThemHearAtOnce() {
        var token = Caller.token(hydra, "crowd");
        var callers = new ArrayList<Caller>();
        try {
            for (int i = 0; i < CONNECTIONS; i++) {
                callers.add(Caller.open(url, token));
            }
            assertThat(Caller.status(hydra).get("connections").asInt()).isEqualTo(CONNECTIONS);
            var listening = callers.subList(0, SUBSCRIBERS);
            listening.forEach(c -> c.ask("\"type\":\"subscribe\""));
            assertThat(Caller.status(hydra).get("subscribers").asInt()).isEqualTo(SUBSCRIBERS);
            var begun = System.nanoTime();
            callers.getLast()
                    .ask("\"type\":\"launch\",\"key\":\"one\",\"name\":\"one\",\"container\":{\"image\":\"busybox\"}");
            listening.forEach(
                    c -> assertThat(c.next("failed").get("key").stringValue()).isEqualTo("one"));
            assertThat(System.nanoTime() - begun).isLessThan(5_000_000_000L);
            callers.forEach(
                    c -> assertThat(c.ask("\"type\":\"ping\"").get("type").stringValue())
                            .isEqualTo("pong"));
        } catch (UncheckedIOException e) {
            throw new AssertionError(e);
        } finally {
            callers.forEach(Caller::close);
        }
    }
}
