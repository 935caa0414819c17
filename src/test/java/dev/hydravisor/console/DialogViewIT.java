package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.model.DialogFixture;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code hydra model …} as a user types it, at a terminal and through a pipe, with an Ollama that is a program of its own. */
@Timeout(60)
class DialogViewIT {
    private static final String CTRL_C = "\u0003";
    private static final String CTRL_D = "\u0004";
    private static final String PROMPT = "you> ";

    @TempDir
    static Path folder;

    private static StandInProcess ollama;
    private static DialogFixture daemon;
    private static int number;

    private String dialog = "";
    private Console console;
    private TestSession session = TestSession.pipe(Map.of(), "");
    private Thread command = new Thread();
    private final AtomicInteger status = new AtomicInteger(-1);
    private int seen;

    @BeforeAll
    static void start() throws IOException {
        ollama = StandInProcess.startWithTinyModel();
        daemon = DialogFixture.open(
                folder,
                "ollama.first-token-timeout=2500ms",
                "ollama.gap-timeout=1500ms",
                "model.presets[0].name=pirate",
                "model.presets[0].model=recite",
                "model.presets[0].system=talk like a pirate",
                "model.presets[0].temperature=0.25",
                "model.presets[0].max-tokens=50",
                "model.presets[0].context=9000",
                "model.presets[0].think=false",
                "model.presets[1].name=nowhere",
                "model.presets[1].model=ollama:gone",
                "model.prices[0].model=ollama:rec*",
                "model.prices[0].input=1000",
                "model.prices[0].output=1000000");
    }

    @AfterAll
    static void stop() {
        daemon.close();
        ollama.close();
    }

    @BeforeEach
    void fresh() throws IOException {
        if (!ollama.isAlive()) {
            ollama.restart();
        }
        dialog = "view-" + ++number;
        console = new Console(
                List.of(new ModelCommands(daemon.models(), daemon.dialogs(), null, Values.any(), Values.any())));
    }

    @AfterEach
    void leave() throws InterruptedException {
        if (command.isAlive()) {
            session.type(CTRL_D);
            command.join(10_000);
            assertThat(command.isAlive()).as("the view is still there").isFalse();
        }
    }

    /** Runs a command at a terminal. */
    private void talk(String... argv) {
        session = TestSession.terminal(Map.of("OLLAMA_HOST", ollama.url(), "TERM", "xterm"));
        start(argv);
    }

    private void start(String... argv) {
        seen = 0;
        command = Thread.ofPlatform().unstarted(() -> status.set(console.run(session, List.of(argv))));
        session.runs(command);
        command.start();
    }

    private void chat(String model) {
        talk("model", "chat", model, "--dialog", dialog);
        expect(PROMPT);
    }

    private void type(String text) {
        session.type(text);
    }

    /** Waits until the terminal was sent this, behind what was waited for before. Returns what came up to it. */
    private String expect(String text) {
        await().atMost(Duration.ofSeconds(20))
                .alias("`" + text + "`")
                .until(() -> session.sent().indexOf(text, seen) >= 0);
        var from = seen;
        seen = session.sent().indexOf(text, from) + text.length();
        return session.sent().substring(from, seen);
    }

    private TestSession pipe(String input, String... argv) {
        var pipe = TestSession.pipe(Map.of("OLLAMA_HOST", ollama.url()), input);
        pipe.runs(Thread.currentThread());
        status.set(console.run(pipe, Arrays.asList(argv)));
        return pipe;
    }

    private List<String> said() {
        return DialogFixture.said(daemon.dialogs().history(dialog)).toList();
    }

    @Test
    void aQuestionIsAnsweredBelowItAndThePromptComesBack() {
        chat("echo");
        type("hello out there\r");
        expect("ollama:echo> hello out there");
        expect(PROMPT);
        type("/exit\r");
        await().until(() -> !command.isAlive());
        assertThat(status).hasValue(0);
    }

    @Test
    void whatWasSaidIsShownWhenTheDialogIsOpenedAgainAndTheModelIsThatOfBefore() throws InterruptedException {
        chat("tinychat");
        type("my name is vera\r");
        expect("ollama:tinychat> ");
        expect(PROMPT);
        leave();
        talk("model", "chat", "--dialog", dialog);
        expect("you> my name is vera");
        expect("talking with `ollama:tinychat`");
        expect(PROMPT);
        type("what is my name ?\r");
        expect("ollama:tinychat> ");
        assertThat(expect(PROMPT)).contains("vera");
    }

    @Test
    void aDialogWithoutANameSaysHowToGoOn() throws InterruptedException {
        talk("model", "chat", "echo");
        expect(PROMPT);
        type("hello\r");
        expect("ollama:echo> hello");
        expect(PROMPT);
        leave();
        expect("to go on: hydra model chat --dialog chat-");
    }

    @Test
    void ctrlCStopsTheAnswerAndKeepsWhatCame() {
        chat("long");
        type("count\r");
        expect("1 2 3 4 5");
        type(CTRL_C);
        expect("[stopped]");
        expect(PROMPT);
        assertThat(daemon.dialogs().history(dialog).getLast().finish()).isEqualTo(Finish.INTERRUPTED);
        type("/model echo\r");
        expect("now `ollama:echo` answers");
        type("still there\r");
        expect("ollama:echo> still there");
        expect(PROMPT);
    }

    @Test
    void ctrlCAtThePromptClearsTheLineAndCtrlDLeaves() {
        chat("echo");
        type("not meant");
        expect("not meant");
        type(CTRL_C);
        expect(PROMPT);
        type("meant\r");
        expect("ollama:echo> meant");
        expect(PROMPT);
        type(CTRL_D);
        await().until(() -> !command.isAlive());
        assertThat(status).hasValue(0);
        assertThat(said()).containsExactly("user complete: meant", "assistant complete: meant");
    }

    @Test
    void anEmptyLineDoesNothing() {
        chat("echo");
        type("\r");
        expect(PROMPT);
        type("   \r");
        expect(PROMPT);
        assertThat(said()).isEmpty();
    }

    @Test
    void aPastedTextOfSeveralLinesIsOneMessageWordForWord() {
        chat("echo");
        type("\u001b[200~if (a != b) {\n  don't \"quote\" !! \\n\n}\u001b[201~");
        type("\r");
        expect("ollama:echo> ");
        expect(PROMPT);
        assertThat(said().getFirst()).isEqualTo("user complete: if (a != b) {\n  don't \"quote\" !! \\n\n}");
    }

    @Test
    void failuresAreOneLineAndThePromptIsThereAgain() throws IOException {
        chat("cut");
        type("question\r");
        expect("ollama:cut> one two three");
        expect("error: the connection to ollama at `" + ollama.url()
                + "` broke in the middle of the answer; ask again");
        expect(PROMPT);
        type("/model nosuch\r");
        expect("error: model `nosuch` is not there; get it with `ollama pull nosuch`");
        expect(PROMPT);
        ollama.stop();
        type("again\r");
        expect("error: ollama does not answer at `" + ollama.url() + "`; start it with `ollama serve`");
        expect(PROMPT);
        ollama.restart();
        type("/model echo\r");
        expect(PROMPT);
        type("/retry\r");
        expect("ollama:echo> again");
        expect(PROMPT);
    }

    @Test
    void aMissingModelOrServerIsSaidAtOnceAndTheDialogIsAliveAnyway() throws IOException {
        talk("model", "chat", "nosuch", "--dialog", dialog);
        expect("error: model `nosuch` is not there; get it with `ollama pull nosuch`");
        expect(PROMPT);
        type("/model echo\r");
        expect(PROMPT);
        type("hello\r");
        expect("ollama:echo> hello");
        expect(PROMPT);
    }

    @Test
    void slashCommandsAreExplainedAndUnknownOnesAreErrors() {
        chat("echo");
        type("/help\r");
        expect("/model MODEL");
        expect(PROMPT);
        type("/nosuch\r");
        expect("error: there is no `/nosuch`; /help tells what there is");
        expect(PROMPT);
        type("/clear now\r");
        expect("error: `/clear` takes nothing behind it");
        expect(PROMPT);
        type("//etc/passwd\r");
        expect("ollama:echo> /etc/passwd");
        expect(PROMPT);
        type("/history\r");
        expect("you> /etc/passwd");
        expect(PROMPT);
        type("/clear\r");
        expect("forgotten");
        expect(PROMPT);
        assertThat(said()).isEmpty();
        type("/model\r");
        expect("ollama:tinychat:latest");
        expect(PROMPT);
    }

    @Test
    void tabCompletesSlashCommandsAndModels() {
        chat("echo");
        type("/hi\t\r");
        expect(PROMPT);
        assertThat(session.sent()).contains("/history");
        type("/model ollama:tiny\t\r");
        expect("now `ollama:tinychat:latest` answers");
        expect(PROMPT);
    }

    @Test
    void noEscapeOfTheModelsReachesTheTerminal() {
        chat("escapes");
        type("hello\r");
        expect("ollama:escapes> before ");
        assertThat(expect("after")).doesNotContainPattern("[\\p{Cntrl}\\x{80}-\\x{9f}]");
        type("/history\r");
        expect("ollama:escapes> before ");
        assertThat(expect("after")).doesNotContainPattern("[\\p{Cntrl}\\x{80}-\\x{9f}]");
    }

    @Test
    void thoughtsAreDimmedAndFoldedWhenTheAnswerBegins() {
        chat("think");
        type("/thinking\r");
        expect("nothing was thought");
        expect(PROMPT);
        type("hello\r");
        expect("\033[2mthe");
        expect("\033[2mthought for 0.");
        expect("ollama:think> hello");
        expect(PROMPT);
        type("/thinking\r");
        expect("\033[2mthe user said: hello ; i shall repeat it");
        expect(PROMPT);
        type("/thinking on\r");
        expect("stays on the screen");
        type("again\r");
        expect("\033[2mthe");
        assertThat(expect("ollama:think> again")).contains("\033[22m").doesNotContain("thought for");
        type("/thinking maybe\r");
        expect("error: type /thinking, /thinking on or /thinking off");
    }

    @Test
    void aModelElsewhereIsAnnounced() {
        chat("echo");
        type("/model big:cloud\r");
        expect("runs on ollama.com: what you say leaves this machine");
        expect(PROMPT);
    }

    @Test
    void markdownIsRenderedWhileItStreamsAndInTheHistory() {
        chat("markdown:gap=2");
        type("show me\r");
        assertThat(expect("│ ") + expect("quotation"))
                .contains("\033[4;1mA", "\033[1mbold", "\033[3mslanted", "• one", "1. two", "─┼─");
        expect(PROMPT);
        type("/history\r");
        expect("\033[4;1mA heading");
        assertThat(expect("a quotation"))
                .contains("\033[1mbold", "\033[3mslanted", "\033[36mcode", "• one", "1. two, first")
                .contains("\033[1mname", "─┼─", "  \033[36mls -la | head")
                .doesNotContain("**bold**", "```sh");
        expect(PROMPT);
    }

    @Test
    void withoutColoursMarkdownStaysAsItWasWritten() {
        session = TestSession.terminal(Map.of("OLLAMA_HOST", ollama.url(), "TERM", "xterm", "NO_COLOR", "1"));
        start("model", "chat", "markdown", "--dialog", dialog);
        expect(PROMPT);
        type("show me\r");
        expect("ollama:markdown> # A heading");
        assertThat(expect("> a quotation"))
                .contains("Some **bold**", "```sh\r\nls -la")
                .doesNotContain("\033");
        expect(PROMPT);
        assertThat(pipe("show me\n", "model", "chat", "markdown", "--dialog", dialog)
                        .printed())
                .contains("Some **bold**")
                .doesNotContain("\033");
    }

    @Test
    void eachLineOfAPipeIsAQuestionAndOnlyAnswersAreOnStandardOutput() {
        var pipe = pipe("my name is vera\n\nwhat is my name ?\n", "model", "chat", "tinychat", "--dialog", dialog);
        assertThat(status).hasValue(0);
        assertThat(pipe.complained()).isEmpty();
        assertThat(pipe.printed().lines()).hasSize(2);
        assertThat(pipe.printed().lines().toList().getLast()).contains("vera");
    }

    @Test
    void throughAPipeTheStatusIsThatOfTheLastQuestion() {
        var failed = pipe("hello\n", "model", "chat", "nosuch", "--dialog", dialog);
        assertThat(status).hasValue(3);
        assertThat(failed.printed()).isEmpty();
        assertThat(failed.complained())
                .isEqualTo("error: model `nosuch` is not there; get it with `ollama pull nosuch`\n");
        pipe("/model nosuch\nhello\n", "model", "chat", "echo", "--dialog", dialog);
        assertThat(status).hasValue(0);
    }

    @Test
    void theModelsAreListedForPeopleAndForPrograms() {
        assertThat(pipe("", "model", "list").printed())
                .containsPattern("MODEL +SIZE +PARAMETERS +CONTEXT +ABILITIES +LOADED +WHERE +BASE\n")
                .containsPattern("ollama:tinychat:latest +1\\.6 MiB +0\\.4\\dM +2048 +- +(yes|no) +this machine +-\n")
                .containsPattern("ollama:think:latest .* 131072 +thinking,tools +(yes|no) +this machine +-\n")
                .containsPattern("preset:pirate .* 131072 +tools +(yes|no) +this machine +ollama:recite:latest\n")
                .containsPattern("preset:nowhere .* ollama:gone\n")
                .containsPattern("ollama:big:cloud +384 B +671\\.0B +163840 +tools +no +ollama\\.com +-\n");
        assertThat(pipe("", "model", "list", "--filter", "remote=true", "-o", "name")
                        .printed())
                .isEqualTo("ollama:big:cloud\n");
        assertThat(pipe("", "model", "list", "--filter", "model~tinychat", "-o", "json")
                        .printed())
                .contains("\"model\" : \"ollama:tinychat:latest\"", "\"context\" : 2048", "\"remote\" : false");
    }

    @Test
    void withoutAServerTheListIsOneErrorAndStatus5() {
        ollama.stop();
        var pipe = pipe("", "model", "list");
        assertThat(status).hasValue(5);
        assertThat(pipe.printed()).isEmpty();
        assertThat(pipe.complained())
                .startsWith("error: ollama does not answer at `")
                .hasLineCount(1);
    }

    @Test
    void badArgumentsAreUsageErrors() {
        var errors = new ArrayList<String>();
        for (var argv : List.of(
                List.of("model", "chat"),
                List.of("model", "chat", "a b"),
                List.of("model", "chat", "echo", "--dialog", "../\u001b[2J"),
                List.of("model", "chat", "echo", "--dialog", "x", "--workspace", "y"))) {
            var pipe = pipe("", argv.toArray(String[]::new));
            assertThat(status).as(argv.toString()).hasValue(2);
            errors.add(pipe.complained());
        }
        assertThat(errors).allSatisfy(e -> assertThat(e).startsWith("error: ").hasLineCount(1));
    }

    @Test
    void aFileGoesAlongWithTheNextQuestionAndWithNoOther() throws IOException {
        var file = Files.writeString(folder.resolve("notes.txt"), "port 8080\n");
        chat("echo");
        type("/attach " + file + "\r");
        expect("`notes.txt` goes along with the next question");
        type("which port\r");
        expect("port");
        expect("8080");
        expect("which port");
        expect(PROMPT);
        type("and now\r");
        expect("ollama:echo> and now");
        type("/attach " + folder + "/none\r");
        expect("error: cannot read");
        Files.write(folder.resolve("bytes"), new byte[] {(byte) 0xff, 0});
        type("/attach " + folder + "/bytes\r");
        expect("is no text in UTF-8");
    }

    @Test
    void theModelsAreToldHowToAnswerUntilTheyAreToldOtherwise() {
        chat("recite");
        type("/system be brief\r");
        expect("the models are told so");
        type("one\r");
        expect("system: be brief");
        expect(PROMPT);
        type("/system be kind\r");
        expect("the models are told so");
        type("two\r");
        assertThat(expect("user: two")).contains("system: be kind");
        expect(PROMPT);
        type("/system -\r");
        expect("told nothing any more");
        type("/system\r");
        expect("the models are told nothing");
    }

    @Test
    void theLastQuestionIsChangedAndAskedAnew() {
        chat("echo");
        type("helo\r");
        expect("ollama:echo> helo");
        expect(PROMPT);
        type("/edit\r");
        expect("helo");
        type("\u007flo\r");
        expect("ollama:echo> hello");
    }

    @Test
    void altEnterBeginsANewLineOfTheMessage() {
        chat("echo");
        type("first\u001b\rsecond\r");
        expect("ollama:echo> first\r\nsecond");
    }

    @Test
    void theDialogIsSavedToANewFileOnly() throws IOException {
        chat("echo");
        type("keep me\r");
        expect("ollama:echo> keep me");
        expect(PROMPT);
        var file = folder.resolve("saved-" + dialog + ".md");
        type("/save " + file + "\r");
        expect("saved to");
        assertThat(Files.readString(file)).contains("## user", "## assistant (ollama:echo)", "keep me");
        type("/save " + file + "\r");
        expect("is there already");
    }

    @Test
    void usageCountsTokensAndTimes() {
        chat("echo");
        type("/usage\r");
        expect("nothing was answered");
        type("one two three\r");
        expect("ollama:echo> one two three");
        type("/usage\r");
        assertThat(expect("the last: first token after ")).contains("1 answers", "3 tokens said");
    }

    @Test
    void aScriptAsksOneQuestionAndLeavesNothingBehind() {
        assertThat(pipe("", "model", "ask", "--model", "echo", "hello there").printed())
                .isEqualTo("hello there\n");
        assertThat(pipe("from\na pipe", "model", "ask", "--model", "echo", "-").printed())
                .isEqualTo("from\na pipe\n");
        var json = tools.jackson.databind.json.JsonMapper.shared()
                .readTree(pipe("", "model", "ask", "--model", "recite", "--system", "be brief", "-o", "json", "hi")
                        .printed());
        assertThat(json.path("answer").asString("")).contains("system: be brief", "user: hi");
        assertThat(json.path("finish").asString("")).isEqualTo("complete");
        assertThat(json.path("answer_tokens").asInt(0)).isPositive();
        assertThat(pipe("", "model", "ask", "--model", "never-there", "hi").complained())
                .contains("error: model `never-there` is not there");
        assertThat(status).hasValue(3);
    }

    @Test
    void modelsAreShownPulledAndDeleted() {
        assertThat(pipe("", "model", "show", "think").printed()).contains("131072 tokens", "completion", "thinking");
        assertThat(pipe("", "model", "rm", "count").printed()).isEqualTo("ollama:count\n");
        assertThat(pipe("", "model", "rm", "count").complained()).contains("is not there");
        assertThat(pipe("", "model", "pull", "count").printed()).isEqualTo("ollama:count\n");
        assertThat(pipe("", "model", "show", "count").printed()).contains("ollama:count");
        assertThat(pipe("", "model", "pull", "nobody-has-this").complained())
                .contains("error: ollama could not pull it");
        for (var model : List.of("fresh-cut", "fresh-error")) {
            assertThat(pipe("", "model", "pull", model).complained()).contains("error: ", "; ", "pull it again");
            assertThat(status.get()).isPositive();
            assertThat(pipe("", "model", "pull", model).printed()).isEqualTo("ollama:" + model + "\n");
        }
        assertThat(pipe("", "model", "pull", "bedrock:x").complained())
                .contains("models of bedrock are not downloaded");
    }

    @Test
    void aPresetIsAModelWithAnInstructionAndParametersUnderAName() {
        assertThat(pipe("", "model", "ask", "--model", "pirate", "hello").printed())
                .isEqualTo("system: talk like a pirate\nuser: hello\n\n");
        var options = ollama.requests("/api/chat").getLast();
        assertThat(options.path("model").asString()).isEqualTo("recite");
        assertThat(options.path("think").asBoolean(true)).isFalse();
        assertThat(options.path("options").path("temperature").asDouble()).isEqualTo(0.25);
        assertThat(options.path("options").path("num_predict").asInt()).isEqualTo(50);
        assertThat(options.path("options").path("num_ctx").asInt()).isEqualTo(9000);

        assertThat(pipe("", "model", "ask", "--model", "pirate", "-o", "json", "hello")
                        .printed())
                .contains("\"model\" : \"ollama:recite\"", "\"preset\" : \"pirate\"")
                .containsPattern("\"identity\" : \"sha256:[0-9a-f]{64}\"");

        chat("echo");
        type("/model pirate\r");
        expect("now `preset:pirate` (`ollama:recite`) answers");
        expect(PROMPT);
        type("/system be brief\r");
        expect("told so");
        type("ahoy\r");
        expect("preset:pirate> system: talk like a pirate");
        assertThat(expect("user: ahoy")).contains("system: be brief");
        type("/usage\r");
        expect("cost: $");
        expect(PROMPT);
        type("/model nowhere\r");
        expect("error: model `gone` is not there");
        expect(PROMPT);
        type("/model preset:no\t\r");
        expect("error: model `gone` is not there");
        expect(PROMPT);
        assertThat(pipe("", "model", "chat", "preset:nobody").complained())
                .contains("error: there is no preset `nobody`");
        assertThat(status).hasValue(3);
        assertThat(pipe("", "model", "pull", "preset:pirate").complained())
                .contains("`preset:pirate` is a preset of `ollama:recite`; name that one");
    }

    @Test
    void theDefaultModelAnswersWhereNoneIsNamed() {
        assertThat(pipe("", "model", "ask", "hello").complained())
                .contains("error: say which model", "hydra model default MODEL");
        assertThat(status).hasValue(2);
        assertThat(pipe("", "model", "default").complained()).contains("error: say which model");
        assertThat(pipe("", "model", "default", "no-such").complained()).contains("is not there");
        assertThat(pipe("", "model", "default", "pirate", "--dry-run").printed())
                .isEqualTo("let `preset:pirate` be the default\n");
        assertThat(pipe("", "model", "default", "echo").printed()).isEqualTo("ollama:echo\n");
        assertThat(pipe("", "model", "default").printed()).isEqualTo("ollama:echo\n");
        assertThat(pipe("", "model", "ask", "hello").printed()).isEqualTo("hello\n");
        assertThat(pipe("hi\n", "model", "chat", "--dialog", dialog).printed()).isEqualTo("hi\n");
        pipe("", "model", "default", "--none");
        assertThat(status).hasValue(0);
        pipe("", "model", "ask", "hello");
        assertThat(status).hasValue(2);
    }

    @Test
    void providersAreListedWithoutBeingAskedAndTestedWithTheirTimes() {
        assertThat(pipe("", "provider", "list").printed()).contains("ollama", ollama.url(), "bedrock");
        assertThat(pipe("", "provider", "test", "-o", "json").printed()).contains("\"millis\"");
    }
}
