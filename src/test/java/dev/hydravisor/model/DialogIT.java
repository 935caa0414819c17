package dev.hydravisor.model;

import static dev.hydravisor.model.DialogFixture.at;
import static dev.hydravisor.model.DialogFixture.said;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Dialogs with an Ollama that is a program of its own on a real socket, and behaves as badly as it is told to. */
@Timeout(60)
@ExtendWith(AsUser.class)
class DialogIT {
    private static final String[] IMPATIENT = {"ollama.first-token-timeout=2500ms", "ollama.gap-timeout=1500ms"};

    @TempDir
    static Path folder;

    private static StandInProcess ollama;
    private static DialogFixture daemon;

    private Dialog dialog;
    private final List<String> tokens = new ArrayList<>();
    private static int number;

    @BeforeAll
    static void start() throws IOException {
        ollama = StandInProcess.startWithTinyModel();
        daemon = DialogFixture.open(folder, IMPATIENT);
    }

    @AfterAll
    static void stop() {
        daemon.close();
        ollama.close();
    }

    @BeforeEach
    void open() throws IOException {
        if (!ollama.isAlive()) {
            ollama.restart();
        }
        dialog = open("dialog-" + ++number, "echo");
    }

    @AfterEach
    void noInterruptIsLeftBehind() {
        assertThat(Thread.interrupted()).isFalse();
    }

    private static Dialog open(String id, String model) {
        return daemon.dialogs().open(id, ModelRef.parse(model), at(ollama.url()));
    }

    private DialogTurn say(String text) {
        return dialog.say(text, tokens::add);
    }

    @Test
    void anAnswerComesTokenByTokenIsStoredAndPublished() {
        var before = daemon.published().size();
        var answer = say("one two three four");
        assertThat(tokens).hasSizeGreaterThan(3);
        assertThat(String.join("", tokens)).isEqualTo("one two three four");
        assertThat(answer.content()).isEqualTo("one two three four");
        assertThat(answer.finish()).isEqualTo(Finish.COMPLETE);
        assertThat(answer.model()).isEqualTo(new ModelRef("ollama", "echo"));
        assertThat(said(dialog.history()))
                .containsExactly("user complete: one two three four", "assistant complete: one two three four");
        assertThat(daemon.published().subList(before, before + 2)).isEqualTo(dialog.history());
    }

    @Test
    void theFirstTokenIsThereLongBeforeTheLast() {
        dialog = open(dialog.id(), "slow:first=100,gap=100");
        var times = new ArrayList<Long>();
        var start = System.nanoTime();
        dialog.say("a b c d e f g h", _ -> times.add(System.nanoTime() - start));
        assertThat(times.getLast() - times.getFirst())
                .isGreaterThan(Duration.ofMillis(400).toNanos());
    }

    @Test
    void theModelRecallsWhatWasSaidBeforeTheDaemonWasRestarted() {
        var own = folder.resolve("recall");
        try (var first = DialogFixture.open(own, IMPATIENT)) {
            var before = first.dialogs().open("web", ModelRef.parse("tinychat"), at(ollama.url()));
            before.say("my name is vera", tokens::add);
        }
        try (var second = DialogFixture.open(own, IMPATIENT)) {
            var after = second.dialogs().open("web", ModelRef.parse("tinychat"), at(ollama.url()));
            assertThat(after.history()).hasSize(2);
            assertThat(after.say("what is my name ?", tokens::add).content()).contains("vera");
        }
    }

    @Test
    void anotherModelGetsAllThatWasSaidToTheFirst() {
        say("my name is vera");
        dialog.switchModel(ModelRef.parse("tinychat"));
        assertThat(say("what is my name ?").content()).contains("vera");
        dialog.switchModel(ModelRef.parse("count"));
        assertThat(say("how many ?").content()).isEqualTo("system 0 user 3 assistant 2 tool 0");
    }

    @Test
    void aModelThatIsNotThereIsNotSwitchedTo() {
        assertThatThrownBy(() -> dialog.switchModel(ModelRef.parse("nosuch")))
                .hasMessage("model `nosuch` is not there; get it with `ollama pull nosuch`");
        assertThat(say("still here").content()).isEqualTo("still here");
    }

    @Test
    void aClearedDialogIsForgottenByTheModelToo() {
        say("one");
        dialog.clear();
        assertThat(dialog.history()).isEmpty();
        dialog.switchModel(ModelRef.parse("count"));
        assertThat(say("how many ?").content()).isEqualTo("system 0 user 1 assistant 0 tool 0");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', textBlock = """
            hang       | UNAVAILABLE | the model said nothing for 2500 ms; ask again, or choose another model | failed: |
            hang-open  | UNAVAILABLE | the model said nothing for 2500 ms; ask again, or choose another model | failed: |
            stall      | UNAVAILABLE | the model said nothing for 1500 ms; ask again, or choose another model | cut: one two three
            cut        | UNAVAILABLE | the connection to ollama at `URL` broke in the middle of the answer; ask again | cut: one two three
            torn       | UNAVAILABLE | the connection to ollama at `URL` broke in the middle of the answer; ask again | cut: one two three
            reset      | UNAVAILABLE | the connection to ollama at `URL` broke in the middle of the answer; ask again | cut: one two three
            no-done    | UNAVAILABLE | the connection to ollama at `URL` broke in the middle of the answer; ask again | cut: one two three
            drop       | UNAVAILABLE | ollama at `URL` closed the connection without an answer; ask again | failed: |
            errorline  | FAILED      | ollama failed: llama runner process has terminated: exit status 2; ask again, or see ollama's log | cut: one two three
            badjson    | FAILED      | ollama at `URL` sent a line that is no JSON; ask again | cut: one two three
            wrongtype  | UNAVAILABLE | `URL` is not ollama: it answered with `text/html`; set OLLAMA_HOST | failed: |
            busy       | UNAVAILABLE | ollama is busy (server busy, please try again. maximum pending requests exceeded); ask again in a moment | failed: |
            broken     | FAILED      | ollama failed: llama runner process has terminated: exit status 2; ask again, or see ollama's log | failed: |
            nosuch     | NOT_FOUND   | model `nosuch` is not there; get it with `ollama pull nosuch` | failed: |
            """)
    void aFailureIsOneLineWithARemedyAndTheNextQuestionIsAnswered(
            String behaviour, ExitCode code, String line, String kept) {
        say("before");
        var broken = open(dialog.id(), behaviour);
        assertThatThrownBy(() -> broken.say("question", tokens::add))
                .isInstanceOfSatisfying(HydraException.class, e -> {
                    assertThat(e.text()).isEqualTo(line.replace("URL", ollama.url()));
                    assertThat(e.exitCode()).isEqualTo(code);
                });
        assertThat(said(dialog.history()).skip(2).map(String::strip))
                .containsExactly("user complete: question", "assistant " + kept.strip());

        assertThat(dialog.retry(tokens::add).content()).isEqualTo("question");
        assertThat(say("after").content()).isEqualTo("after");
        dialog.switchModel(ModelRef.parse("count"));
        assertThat(say("how many ?").content()).isEqualTo("system 0 user 4 assistant 3 tool 0");
    }

    @Test
    void aServerThatIsNotThereIsToldWithHowToStartIt() throws IOException {
        int port;
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        var lost = daemon.dialogs().open("lost", ModelRef.parse("echo"), at("127.0.0.1:" + port));
        var start = System.nanoTime();
        var line = "ollama does not answer at `http://127.0.0.1:" + port
                + "`; start it with `ollama serve` or set OLLAMA_HOST";
        assertThatThrownBy(() -> lost.say("hello", tokens::add)).hasMessage(line);
        assertThat(System.nanoTime() - start).isLessThan(Duration.ofSeconds(3).toNanos());
        assertThat(daemon.models().list(at("127.0.0.1:" + port)).failures().get("ollama"))
                .hasMessage(line);
    }

    @Test
    void aServerOnAPortThatIsNoHttpIsToldInOneLine() throws IOException {
        try (var socket = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        var peer = socket.accept();
                        peer.getOutputStream().write("SSH-2.0-OpenSSH_9.2\r\n".getBytes());
                        peer.close();
                    }
                } catch (IOException e) {
                    // The test is over.
                }
            });
            var lost = daemon.dialogs().open("ssh", ModelRef.parse("echo"), at("127.0.0.1:" + socket.getLocalPort()));
            assertThatThrownBy(() -> lost.say("hello", tokens::add))
                    .isInstanceOf(HydraException.class)
                    .hasMessageContaining("`http://127.0.0.1:" + socket.getLocalPort() + "`");
        }
    }

    @Test
    void aBusyServerIsAskedAgainAndTheUserIsTold() {
        dialog = open(dialog.id(), "busy-once");
        var notices = new ArrayList<String>();
        var answer = dialog.say("hello", new Dialog.Listener() {
            @Override
            public void token(String text) {
                tokens.add(text);
            }

            @Override
            public void notice(String line) {
                notices.add(line);
            }
        });
        assertThat(answer.content()).isEqualTo("hello");
        assertThat(notices).hasSize(1).first().asString().contains("busy").contains("asking again in 1 s");
    }

    @Test
    void theServersOwnWordOnWhenToComeBackIsObeyed() {
        dialog = open(dialog.id(), "throttled:after=2");
        var start = System.nanoTime();
        assertThat(say("hello").content()).isEqualTo("hello");
        assertThat(System.nanoTime() - start)
                .isGreaterThan(Duration.ofMillis(1900).toNanos());
    }

    @Test
    void aServerThatWasRestartedAnswersTheNextQuestion() throws IOException {
        say("one");
        ollama.restart();
        assertThat(say("two").content()).isEqualTo("two");
        ollama.kill();
        assertThatThrownBy(() -> say("three")).hasMessageContaining("does not answer");
        ollama.restart();
        assertThat(say("four").content()).isEqualTo("four");
    }

    @Test
    void aServerThatDiesInTheMiddleIsToldAndWhatCameIsKept() throws IOException {
        dialog = open(dialog.id(), "crash");
        assertThatThrownBy(() -> say("hello")).hasMessageContaining("broke in the middle of the answer");
        assertThat(dialog.history().getLast().content()).isEqualTo("one two three");
        assertThat(dialog.history().getLast().finish()).isEqualTo(Finish.CUT);
    }

    @Test
    void anInterruptStopsTheAnswerAndTheModelAndKeepsWhatCame() throws Exception {
        dialog = open(dialog.id(), "long");
        var began = new CountDownLatch(10);
        var outcome = new AtomicReference<Throwable>();
        var asking = Thread.ofVirtual().start(() -> {
            try {
                dialog.say("count", _ -> began.countDown());
            } catch (HydraException e) {
                outcome.set(e);
            }
        });
        assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
        asking.interrupt();
        assertThat(asking.join(Duration.ofSeconds(10))).isTrue();
        assertThat(outcome.get())
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        var kept = dialog.history().getLast();
        assertThat(kept.finish()).isEqualTo(Finish.INTERRUPTED);
        assertThat(kept.content()).startsWith("1 2 3 4 5").doesNotContain("1999");
        await().atMost(Duration.ofSeconds(5))
                .untilAsserted(() -> assertThat(ollama.requests()).anyMatch(r -> r.has("left")));

        dialog.switchModel(ModelRef.parse("count"));
        assertThat(say("how many ?").content()).isEqualTo("system 0 user 2 assistant 1 tool 0");
    }

    @Test
    void anInterruptBeforeTheFirstTokenLeavesTheQuestionToBeRetried() throws Exception {
        dialog = open(dialog.id(), "hang");
        var asking = Thread.ofPlatform().start(() -> {
            try {
                dialog.say("hello", tokens::add);
            } catch (HydraException e) {
                tokens.add(e.text());
            }
        });
        await().until(() -> dialog.history().size() == 1);
        asking.interrupt();
        asking.join(10_000);
        assertThat(tokens).containsExactly("interrupted");
        dialog = open(dialog.id(), "echo");
        assertThat(dialog.retry(tokens::add).content()).isEqualTo("hello");
        assertThatThrownBy(() -> dialog.retry(tokens::add)).hasMessageContaining("no question without a whole answer");
    }

    /** Who has asked what nobody answers, until interrupted. */
    private Thread askedInVain() {
        dialog = open(dialog.id(), "hang");
        var asking = Thread.ofVirtual().start(() -> {
            try {
                dialog.say("hello", tokens::add);
            } catch (HydraException e) {
                // as it is told to
            }
        });
        await().until(() -> dialog.history().size() == 1);
        return asking;
    }

    @Test
    void aSecondQuestionWaitsUntilTheFirstIsAnswered() throws Exception {
        var asking = askedInVain();
        var notices = new CopyOnWriteArrayList<String>();
        var second = new FutureTask<>(() -> open(dialog.id(), "echo").say("me too", new Dialog.Listener() {
            @Override
            public void token(String text) {}

            @Override
            public void notice(String line) {
                notices.add(line);
            }
        }));
        Thread.ofVirtual().start(second);
        await().untilAsserted(() -> assertThat(notices)
                .singleElement(STRING)
                .endsWith("is just being answered elsewhere, and this waits for its turn"));
        assertThat(dialog.history()).hasSize(1);
        asking.interrupt();
        assertThat(second.get(10, TimeUnit.SECONDS).content()).isEqualTo("me too");
        assertThat(dialog.history()).hasSize(4);
    }

    @Test
    void aQuestionThatWaitsCanBeTakenBack() throws Exception {
        var asking = askedInVain();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> open(dialog.id(), "echo").say("me too", tokens::add))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
        asking.interrupt();
        asking.join();
        assertThat(dialog.history()).hasSize(2);
    }

    @Test
    void aListenerThatFailsEndsTheAnswerAndGetsItsOwnErrorBack() {
        dialog = open(dialog.id(), "long");
        assertThatThrownBy(() -> dialog.say("count", _ -> {
                    throw new IllegalStateException("the pipe is closed");
                }))
                .hasMessage("the pipe is closed");
        assertThat(dialog.history().getLast().finish()).isEqualTo(Finish.CUT);
    }

    @Test
    void noEscapeReachesTheListenerAndNoneIsLostInTheStore() {
        dialog = open(dialog.id(), "escapes");
        say("hello");
        var shown = String.join("", tokens);
        assertThat(shown).startsWith("before ").endsWith("after").doesNotContainPattern("[\\p{Cntrl}\\x{80}-\\x{9f}]");
        assertThat(dialog.history().getLast().content()).contains("\u001b[31m");
    }

    @Test
    void hugeTokensTornCharactersAndEmptyAnswersAreTakenAsTheyAre() {
        dialog = open(dialog.id(), "huge");
        assertThat(say("x").content()).hasSize(1_000_000);
        dialog = open("dialog-" + ++number, "unicode");
        assertThat(say("x").content()).isEqualTo("grüße, 日本語 👩‍🔧🎉 e\u0301 עברית");
        dialog = open("dialog-" + ++number, "empty");
        assertThat(say("x").content()).isEmpty();
        dialog = open("dialog-" + ++number, "nostream");
        assertThat(say("all at once").content()).isEqualTo("all at once");
    }

    @Test
    void thoughtsAreToldApartFromTheAnswer() {
        dialog = open(dialog.id(), "think");
        var thoughts = new StringBuilder();
        var answer = dialog.say("hello", new Dialog.Listener() {
            @Override
            public void token(String text) {}

            @Override
            public void thinking(String text) {
                thoughts.append(text);
            }
        });
        assertThat(answer.content()).isEqualTo("hello");
        assertThat(thoughts).contains("i shall repeat it");
    }

    @Test
    void whatTheContextCannotHoldIsLeftOutOldestFirstAndSaid() {
        var notices = new ArrayList<String>();
        var listener = new Dialog.Listener() {
            @Override
            public void token(String text) {}

            @Override
            public void notice(String line) {
                notices.add(line);
            }
        };
        var filler = "word ".repeat(400);
        for (int i = 0; i < 4; i++) {
            dialog.say(i + " " + filler, listener);
        }
        dialog.switchModel(ModelRef.parse("recite"));
        var recited = dialog.say("last", listener).content();
        assertThat(recited)
                .doesNotContain("user: 0 word")
                .contains("user: 3 word")
                .contains("user: last");
        assertThat(recited).startsWith("user: ");
        assertThat(notices)
                .isNotEmpty()
                .allMatch(
                        n -> n.matches(
                                "the first \\d+ turns no longer fit into the 4096 tokens of `ollama:(echo|recite)` and are not sent; .*"));
        assertThat(dialog.history()).hasSize(10);
    }

    @Test
    void aDownloadThatBrokeOffGoesOnWhereItWas() {
        var ref = ModelRef.parse("ollama:fresh-cut");
        var done = new ArrayList<Long>();
        var watched = new Operation.Listener() {
            @Override
            public void started(String stage) {
                done.clear();
            }

            @Override
            public void progress(String stage, long bytes, long total, String unit) {
                done.add(bytes);
            }

            @Override
            public void finished(String stage, Duration elapsed) {}
        };
        var endpoint = at(ollama.url());
        assertThatThrownBy(() -> daemon.models().pull(new Operation(watched), ref, endpoint))
                .hasMessageContaining("broke off")
                .hasMessageContaining("pull it again, and it goes on");
        var half = done.getLast();
        assertThat(done.getFirst()).isZero();
        assertThat(half).isPositive();

        daemon.models().pull(new Operation(watched), ref, endpoint);
        assertThat(done.getFirst()).isEqualTo(half);
        assertThat(daemon.models().find(ref, endpoint).identity()).isNotEmpty();
    }

    @Test
    void aDownloadIsStoppedByAnInterrupt() {
        var stopped = new Operation.Listener() {
            @Override
            public void started(String stage) {}

            @Override
            public void progress(String stage, long bytes, long total, String unit) {
                if (bytes > 0) {
                    Thread.currentThread().interrupt();
                }
            }

            @Override
            public void finished(String stage, Duration elapsed) {}
        };
        var ref = ModelRef.parse("ollama:fresh-stall");
        assertThatThrownBy(() -> daemon.models().pull(new Operation(stopped), ref, at(ollama.url())))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void theModelsAreListedWithWhatRunsElsewhereMarked() {
        say("load me");
        var listing = daemon.models().list(at(ollama.url()));
        assertThat(listing.failures()).isEmpty();
        assertThat(listing.models()).anySatisfy(m -> {
            assertThat(m.model()).hasToString("ollama:tinychat:latest");
            assertThat(m.size()).isGreaterThan(1_000_000);
            assertThat(m.context()).isEqualTo(2048);
            assertThat(m.remote()).isFalse();
            assertThat(m.where()).isEqualTo("this machine");
        });
        assertThat(listing.models()).anySatisfy(m -> {
            assertThat(m.model()).hasToString("ollama:echo:latest");
            assertThat(m.loaded()).isTrue();
        });
        assertThat(listing.models()).anySatisfy(m -> {
            assertThat(m.model()).hasToString("ollama:big:cloud");
            assertThat(m.remote()).isTrue();
            assertThat(m.where()).isEqualTo("ollama.com");
        });
    }

    @Test
    void aModelThatRunsElsewhereIsRefusedWhenOffline() {
        try (var offline = DialogFixture.open(folder.resolve("offline"), "model.offline=true")) {
            var far = offline.dialogs().open("x", ModelRef.parse("big:cloud"), at(ollama.url()));
            assertThatThrownBy(() -> far.say("secret", tokens::add))
                    .isInstanceOfSatisfying(
                            HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DENIED));
            assertThat(ollama.requests("/api/chat")).noneMatch(r -> r.toString().contains("secret"));
        }
    }

    @Test
    void namesThatAreNoneAreRefused() {
        assertThatThrownBy(() -> open("a b", "echo")).hasMessageContaining("is no name of a dialog");
        assertThatThrownBy(() -> say(" \n")).hasMessageContaining("nothing to say");
    }
}
