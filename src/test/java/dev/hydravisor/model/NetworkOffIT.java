package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.Hydra;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** hydra with its daemon and an Ollama in a network namespace whose only device is the loopback, as with the network off. */
@TestMethodOrder(OrderAnnotation.class)
@Timeout(120)
class NetworkOffIT {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    /** Holds the namespace; it ends with its standard input. */
    @SuppressWarnings("NullAway.Init")
    private static Process namespace;

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    private record Ended(int status, String out, String err, Duration took) {}

    @BeforeAll
    static void start() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "a network namespace needs root");
        namespace = new ProcessBuilder("unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec cat").start();
        assertThat(namespace.inputReader().readLine()).isEqualTo("up");
        inside(Map.of(), "src/test/env/ollama", "up", folder.toString());
        var host = Files.readString(folder.resolve("ollama.env")).strip().replace("OLLAMA_HOST=", "");
        hydra = Hydra.start(Map.of("OLLAMA_HOST", host, "HOME", folder.toString()));
    }

    @AfterAll
    static void stop() throws Exception {
        if (hydra != null) {
            hydra.close();
            inside(Map.of(), "src/test/env/ollama", "down", folder.toString());
            namespace.getOutputStream().close();
            namespace.waitFor();
        }
    }

    private static Ended inside(Map<String, String> environment, String... argv) throws Exception {
        return inside("", environment, argv);
    }

    private static Ended inside(String input, Map<String, String> environment, String... argv) throws Exception {
        var command = new ArrayList<>(List.of("nsenter", "-t", "" + namespace.pid(), "-n", "--"));
        command.addAll(Arrays.asList(argv));
        var out = Files.createTempFile(folder, "out", "");
        var err = Files.createTempFile(folder, "err", "");
        var builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("AWS_"));
        builder.environment().putAll(environment);
        var start = System.nanoTime();
        var process = builder.start();
        try (var stdin = process.outputWriter()) {
            stdin.write(input);
        }
        int status = process.waitFor();
        return new Ended(
                status,
                Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8),
                Duration.ofNanos(System.nanoTime() - start));
    }

    private static Ended run(Map<String, String> more, String... arguments) throws Exception {
        var environment = new java.util.TreeMap<>(hydra.environment());
        environment.putAll(more);
        return inside(environment, Hydra.argv(arguments).toArray(String[]::new));
    }

    private static Ended runWith(String input, String... arguments) throws Exception {
        return inside(input, hydra.environment(), Hydra.argv(arguments).toArray(String[]::new));
    }

    private static Ended run(String... arguments) throws Exception {
        return run(Map.of(), arguments);
    }

    @Test
    @Order(1)
    void everythingLocalWorks() throws Exception {
        assertThat(run("model", "ask", "--model", "tinychat", "my name is vera").out())
                .contains("vera");
        assertThat(Files.readSymbolicLink(Path.of("/proc/" + hydra.daemon().pid() + "/ns/net")))
                .isEqualTo(Files.readSymbolicLink(Path.of("/proc/" + namespace.pid() + "/ns/net")))
                .isNotEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/net")));
        var listed = run("model", "list");
        assertThat(listed.out()).contains("ollama:tinychat:latest");
        assertThat(listed.err()).isEmpty();
        assertThat(run("model", "default", "tinychat").status()).isZero();
        for (var command : List.of(
                new String[] {"list"},
                new String[] {"image", "list"},
                new String[] {"workspace", "list"},
                new String[] {"recording", "list"},
                new String[] {"audit", "list"},
                new String[] {"policy", "show"},
                new String[] {"provider", "list"})) {
            var ended = run(command);
            assertThat(ended.status())
                    .as(String.join(" ", command) + ended.err())
                    .isZero();
            assertThat(ended.took()).as(String.join(" ", command)).isLessThan(Duration.ofSeconds(10));
        }
        var doctor = run("doctor");
        assertThat(doctor.out() + doctor.err()).contains("ollama").doesNotContain("Exception");
    }

    @Test
    @Order(2)
    void aDialogIsTheSameAfterTheDaemonWasKilledAndTheModelGoesOnFromIt() throws Exception {
        var chat = new String[] {"model", "chat", "tinychat", "--dialog", "off"};
        assertThat(runWith("my name is vera\nplease list the files\n", chat).out())
                .contains("vera");
        var before = runWith("/history\n", chat);
        assertThat(before.out()).contains("you> my name is vera", "you> please list the files");
        hydra.killDaemon();
        var after = runWith("/history\n", chat);
        assertThat(after.out()).isEqualTo(before.out());
        assertThat(runWith("what is my name ?\n", chat).out()).contains("your name is vera");
    }

    @Test
    @Order(2)
    void whatIsFarAwayIsOneLineAtOnce() throws Exception {
        var pull = run("image", "pull", "docker.io/library/busybox");
        assertThat(pull.status()).isNotZero();
        assertThat(pull.err()).contains("error: ").doesNotContain("Exception");
        var ollama = run(Map.of("OLLAMA_HOST", "192.0.2.1"), "model", "ask", "--model", "echo", "hello");
        assertThat(ollama.err()).contains("error: ollama does not answer at `http://192.0.2.1:11434`", "; ");
        assertThat(ollama.took()).isLessThan(Duration.ofSeconds(8));
    }

    @Test
    @Order(3)
    void bedrockWithoutCredentialsIsOneLineWithTheRemedyAndSoonSaid() throws Exception {
        requireNoCredentials();
        var test = run(Map.of("AWS_REGION", "eu-central-1"), "provider", "test", "-o", "json");
        assertThat(test.status()).isEqualTo(5);
        assertThat(test.out()).contains("there are no AWS credentials; sign in with `aws sso login`");
        assertThat(test.took()).isLessThan(Duration.ofSeconds(8));
        var ask = run(
                Map.of("AWS_REGION", "eu-central-1"),
                "model",
                "ask",
                "--model",
                "bedrock:amazon.nova-lite-v1:0",
                "hello");
        assertThat(ask.err()).startsWith("error: there are no AWS credentials").hasLineCount(1);
        var doctor = run(Map.of("AWS_REGION", "eu-central-1"), "doctor", "-o", "json");
        assertThat(doctor.out())
                .contains("there are no AWS credentials")
                .contains("sign in with `aws sso login` or `aws configure`, or set AWS_PROFILE");
        assertThat(doctor.took()).isLessThan(Duration.ofSeconds(10));
        assertThat(run("doctor").out()).contains("not set up", "nobody was asked");
        assertThat(run("model", "ask", "--model", "echo", "still here").out()).isEqualTo("still here\n");
    }

    @Test
    @Order(4)
    void anInstanceMetadataServiceThatDoesNotAnswerIsNotWaitedForLong() throws Exception {
        requireNoCredentials();
        // Packets to it vanish: the other end of this cable is nobody's.
        inside(Map.of(), "sh", "-c", """
                ip link add away0 type veth peer name away1 && ip addr add 169.254.1.1/16 dev away0 && ip link set away0 up \
                && ip link set away1 up && ip neigh add 169.254.169.254 lladdr 02:00:00:00:00:01 dev away0""");
        for (var command : List.of("test", "list")) {
            var ended = run(Map.of("AWS_REGION", "eu-west-1"), "provider", command, "-o", "json");
            System.out.println("provider " + command + " with a silent metadata service: "
                    + ended.took().toMillis() + " ms");
            assertThat(ended.out()).contains("there are no AWS credentials; sign in with `aws sso login`");
            assertThat(ended.took()).isLessThan(Duration.ofSeconds(10));
        }
    }

    private static void requireNoCredentials() {
        assumeTrue(
                Files.notExists(Path.of(System.getProperty("user.home"), ".aws")),
                "this user has AWS credentials, which hydra would find");
    }
}
