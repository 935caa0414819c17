package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.host.Check;
import dev.hydravisor.model.DialogFixture;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.standin.BedrockStandIn;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever goes wrong with an answer of either provider, the user sees one line and a prompt, and keeps what came. */
@Timeout(60)
class FailureTableIT {
    private static final String PROMPT = "you> ";
    private static final List<String> PROVIDERS = List.of("ollama", "bedrock");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static StandInProcess ollama;

    @SuppressWarnings("NullAway.Init")
    private static StandInProcess bedrock;

    @SuppressWarnings("NullAway.Init")
    private static DialogFixture daemon;

    private static int number;

    private TestSession session = TestSession.pipe(Map.of(), "");
    private Thread command = new Thread();
    private String dialog = "";
    private int seen;

    @BeforeAll
    static void start() throws IOException {
        ollama = StandInProcess.start();
        bedrock = StandInProcess.startBedrock();
        daemon = open(BedrockStandIn.ACCESS_KEY, BedrockStandIn.SECRET_KEY);
    }

    private static DialogFixture open(String accessKey, String secretKey) {
        return open(accessKey, secretKey, bedrock.url());
    }

    private static DialogFixture open(String accessKey, String secretKey, String endpoint, String... more) {
        var properties = new ArrayList<>(List.of(
                "ollama.first-token-timeout=2500ms",
                "ollama.gap-timeout=1500ms",
                "spring.ai.bedrock.aws.first-token-timeout=2500ms",
                "spring.ai.bedrock.aws.gap-timeout=1500ms",
                "spring.ai.bedrock.aws.region=eu-central-1",
                "spring.ai.bedrock.aws.access-key=" + accessKey,
                "spring.ai.bedrock.aws.secret-key=" + secretKey,
                "spring.ai.bedrock.aws.endpoint=" + endpoint));
        properties.addAll(List.of(more));
        return DialogFixture.open(folder.resolve("db" + ++number), properties.toArray(String[]::new));
    }

    @AfterAll
    static void stop() {
        daemon.close();
        ollama.close();
        bedrock.close();
    }

    /** provider, model, what is shown of the answer, the line that says what went wrong. */
    static Stream<Arguments> failures() {
        return Stream.concat(
                // Ollama sends an answer in one piece if it likes; see below.
                Stream.of(row("bedrock", "nostream", "", "is no bedrock (application/json")),
                PROVIDERS.stream().flatMap(FailureTableIT::failuresOf));
    }

    private static Stream<Arguments> failuresOf(String p) {
        return Stream.of(
                row(p, "hang", "", "the model said nothing for 2500 ms"),
                row(p, "hang-open", "", "the model said nothing for 2500 ms"),
                row(p, "stall", "one two three", "the model said nothing for 1500 ms"),
                row(p, "cut", "one two three", "broke in the middle"),
                row(p, "torn", "one two three", "broke in the middle"),
                row(p, "reset", "one two three", "broke in the middle"),
                row(p, "no-done", "one two three", "broke in the middle"),
                row(p, "drop", "", p.equals("ollama") ? "closed the connection" : "broke in the middle"),
                row(p, "errorline", "one two three", "failed: llama runner process has terminated"),
                row(p, "badjson", "one two three", p.equals("ollama") ? "ollama" : "broke in the middle"),
                row(p, "wrongtype", "", p.equals("ollama") ? "is not ollama" : "is no bedrock (text/html"),
                row(p, "expired", "one two three", p.equals("ollama") ? "unauthorized" : "credentials have expired"),
                row(p, "busy", "", " is busy ("),
                row(p, "broken", "", "failed"),
                row(p, "never-there", "", p.equals("ollama") ? "is not there" : "has no model `never-there`"));
    }

    private static Arguments row(String provider, String model, String came, String error) {
        return Arguments.of(provider, model, came, error);
    }

    @ParameterizedTest(name = "{0}:{1}")
    @MethodSource("failures")
    void whatGoesWrongIsSaidInOneLineAndThePromptComesBack(String provider, String model, String came, String error) {
        chat(provider + ":" + model);
        type("hello");
        var shown = expect("error: ");
        assertThat(shown).contains(came);
        assertThat(expect("\n")).containsIgnoringCase(error).contains("; ").doesNotContain("Exception");
        expect(PROMPT);
        assertThat(daemon.dialogs().history(dialog).getLast().content()).isEqualTo(came);

        type("/model " + provider + ":echo");
        expect("answers");
        type("are you there");
        expect(":echo> are you there");
        expect(PROMPT);
        leave();
    }

    static Stream<Arguments> successes() {
        return Stream.concat(
                Stream.of(Arguments.of("ollama", "nostream", ":nostream> hello", "")),
                PROVIDERS.stream().flatMap(FailureTableIT::successesOf));
    }

    private static Stream<Arguments> successesOf(String p) {
        return Stream.of(
                Arguments.of(p, "throttled", "asking again in 1 s", ":throttled> hello"),
                Arguments.of(p, "busy-once", "asking again in 1 s", ":busy-once> hello"),
                Arguments.of(p, "unicode", "grüße, 日本語", ""),
                Arguments.of(p, "think", "; /thinking shows it", ":think> hello"),
                Arguments.of(p, "empty", "[the answer is empty]", ""),
                Arguments.of(p, "escapes", "before", "after"),
                Arguments.of(p, "huge", "xxxxxxxxxx", ""));
    }

    @ParameterizedTest(name = "{0}:{1}")
    @MethodSource("successes")
    void whatIsOddButNotWrongIsShown(String provider, String model, String first, String then) {
        chat(provider + ":" + model);
        type("hello");
        expect(first);
        expect(then);
        expect(PROMPT);
        assertThat(session.sent())
                .doesNotContain("\033]52")
                .doesNotContain("\033[2J\033[H")
                .doesNotContain("error: ");
        leave();
    }

    @Test
    void aServerThatIsStartedAgainIsSpokenToAgain() throws IOException {
        for (var provider : PROVIDERS) {
            var server = provider.equals("ollama") ? ollama : bedrock;
            chat(provider + ":echo");
            type("one");
            expect(":echo> one");
            server.kill();
            type("two");
            assertThat(expect("\n") + expect("error: ") + expect("\n")).contains("does not answer");
            expect(PROMPT);
            server.restart();
            type("/retry");
            expect(":echo> two");
            expect(PROMPT);
            leave();
        }
    }

    @Test
    void aServerThatIsGoneInTheMiddleOfAnAnswerIsSaidAndSpokenToAgain() throws IOException {
        for (var provider : PROVIDERS) {
            chat(provider + ":crash");
            type("hello");
            assertThat(expect("error: ")).contains("one two three");
            assertThat(expect("\n")).contains("broke in the middle of the answer", "; ask again");
            expect(PROMPT);
            (provider.equals("ollama") ? ollama : bedrock).restart();
            type("/model " + provider + ":echo");
            expect("answers");
            type("/retry");
            expect(":echo> hello");
            expect(PROMPT);
            leave();
        }
    }

    @Test
    void aHostThatTakesNoConnectionIsGivenUpSoon() throws IOException {
        // What is not taken from this queue keeps later connections waiting.
        var good = daemon;
        var queued = new ArrayList<Socket>();
        try (var full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            for (int i = 0; i < 2; i++) {
                queued.add(new Socket(full.getInetAddress(), full.getLocalPort()));
            }
            var url = "http://127.0.0.1:" + full.getLocalPort();
            daemon = open(
                    BedrockStandIn.ACCESS_KEY,
                    BedrockStandIn.SECRET_KEY,
                    url,
                    "ollama.connect-timeout=1s",
                    "spring.ai.bedrock.aws.connection-timeout=1s");
            for (var provider : PROVIDERS) {
                chat(provider + ":echo", Map.of("OLLAMA_HOST", url, "TERM", "xterm"));
                type("hello");
                var asked = System.nanoTime();
                expect("error: ");
                assertThat(expect("\n")).contains("does not answer at `" + url + "`; ");
                assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(10));
                expect(PROMPT);
                leave();
            }
            daemon.close();
        } finally {
            daemon = good;
            for (var socket : queued) {
                socket.close();
            }
        }
    }

    @Test
    void bothProvidersRememberTheDialogWhenTheModelIsSwitchedInItsMiddle() {
        chat("ollama:echo");
        type("my name is vera");
        expect(":echo> my name is vera");
        expect(PROMPT);
        type("/model bedrock:recite");
        expect("now `bedrock:recite` answers");
        expect("leaves this machine");
        type("all");
        expect("user: my name is vera");
        expect("assistant: my name is vera");
        expect("user: all");
        expect(PROMPT);
        leave();
    }

    @Test
    void credentialsThatAreWrongOrExpiredAreSaidWithTheRemedy() {
        var good = daemon;
        try {
            for (var keys : List.of(
                    List.of(BedrockStandIn.ACCESS_KEY, "wrong", "AWS does not accept the credentials"),
                    List.of("AKIAUNKNOWN", "x", "AWS does not accept the credentials"),
                    List.of(BedrockStandIn.EXPIRED_KEY, "x", "the AWS credentials have expired"))) {
                daemon = open(keys.get(0), keys.get(1));
                chat("bedrock:echo");
                type("hello");
                expect("error: ");
                assertThat(expect("\n")).contains(keys.get(2), "aws sso login");
                expect(PROMPT);
                leave();
                daemon.close();
            }
        } finally {
            daemon = good;
        }
    }

    @Test
    void whatExactlyAModelIsIsItsDigestOrItsArn() {
        var endpoint = Endpoint.of(environment()::get);
        assertThat(daemon.models().identity(ModelRef.parse("ollama:echo"), endpoint))
                .matches("sha256:[0-9a-f]{64}")
                .isEqualTo(daemon.models().identity(ModelRef.parse("ollama:echo:latest"), endpoint));
        assertThat(daemon.models().identity(ModelRef.parse("bedrock:echo"), endpoint))
                .isEqualTo("arn:aws:bedrock:eu-central-1::foundation-model/echo");
        assertThat(daemon.models().identity(ModelRef.parse("bedrock:eu.echo"), endpoint))
                .isEqualTo("arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.echo");
        assertThat(daemon.models().identity(ModelRef.parse("ollama:never-there"), endpoint))
                .isEmpty();
    }

    @Test
    void doctorSaysHowAwsIsSignedInToAndWhetherBedrockAnswers() throws IOException {
        var check = daemon.bean(Check.class, "bedrockCheck");
        assertThat(check.findings()).singleElement().satisfies(f -> {
            assertThat(f.level()).isEqualTo(Check.Level.OK);
            assertThat(f.detail()).matches("region eu-central-1, credentials from the configuration: [0-9]+ models");
        });
        bedrock.kill();
        try {
            assertThat(check.findings()).singleElement().satisfies(f -> {
                assertThat(f.level()).isEqualTo(Check.Level.WARNING);
                assertThat(f.detail()).contains("region eu-central-1", "bedrock does not answer at");
                assertThat(f.remedy()).isEqualTo("look at the network, or at AWS_REGION");
            });
        } finally {
            bedrock.restart();
        }
    }

    @Test
    void modelsOfBothProvidersAreListed() {
        var pipe = TestSession.pipe(environment(), "");
        pipe.runs(Thread.currentThread());
        console().run(pipe, List.of("model", "list"));
        assertThat(pipe.printed()).contains("ollama:echo", "bedrock:echo", "bedrock:eu.echo", "AWS eu-central-1");
        assertThat(pipe.complained()).isEmpty();
    }

    private static Map<String, String> environment() {
        return Map.of("OLLAMA_HOST", ollama.url(), "TERM", "xterm");
    }

    private static Console console() {
        return new Console(
                List.of(new ModelCommands(daemon.models(), daemon.dialogs(), null, Values.any(), Values.any())));
    }

    private void chat(String model) {
        chat(model, environment());
    }

    private void chat(String model, Map<String, String> environment) {
        session = TestSession.terminal(environment);
        dialog = "table-" + ++number;
        seen = 0;
        var console = console();
        command = Thread.ofPlatform()
                .unstarted(() -> console.run(session, List.of("model", "chat", model, "--dialog", dialog)));
        session.runs(command);
        command.start();
        expect(PROMPT);
    }

    private void type(String line) {
        session.type(line + "\r");
        expect(line);
    }

    private String expect(String text) {
        try {
            await().atMost(Duration.ofSeconds(20)).until(() -> session.sent().indexOf(text, seen) >= 0);
        } catch (org.awaitility.core.ConditionTimeoutException e) {
            throw new AssertionError(
                    "`" + text + "` is not in " + session.sent().substring(seen), e);
        }
        var from = seen;
        seen = session.sent().indexOf(text, from) + text.length();
        return session.sent().substring(from, seen).replace("\r", "");
    }

    private void leave() {
        session.type("\u0004");
        await().until(() -> !command.isAlive());
    }
}
