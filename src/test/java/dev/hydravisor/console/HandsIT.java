package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.agent.AgentService;
import dev.hydravisor.env.AsUser;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.model.Dialogs;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.standin.BedrockStandIn;
import dev.hydravisor.standin.StandInProcess;
import dev.hydravisor.workspace.ShellBackend;
import dev.hydravisor.workspace.Size;
import dev.hydravisor.workspace.WorkspaceService;
import dev.hydravisor.workspace.tmux.Pane;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurationPackage;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.Configuration;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A model that acts in a workspace: a scripted model, the real shell, tmux, recorder and console. */
@Timeout(90)
@ExtendWith(AsUser.class)
class HandsIT {
    private static final String PROMPT = "you> ";
    private static final String ALLOW = "allow? ";

    @SuppressWarnings("NullAway.Init")
    private static StandInProcess ollama;

    @SuppressWarnings("NullAway.Init")
    private static StandInProcess bedrock;

    @SuppressWarnings("NullAway.Init")
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static ConfigurableApplicationContext daemon;

    private String instance = "";
    private TestSession session = TestSession.pipe(Map.of(), "");
    private Thread command = new Thread();
    private int seen;

    @Configuration
    @ImportAutoConfiguration({
        DataSourceAutoConfiguration.class,
        FlywayAutoConfiguration.class,
        HibernateJpaAutoConfiguration.class,
        DataJpaRepositoriesAutoConfiguration.class,
        TransactionAutoConfiguration.class
    })
    @AutoConfigurationPackage(basePackages = "dev.hydravisor.inventory")
    @ComponentScan({
        "dev.hydravisor.workspace",
        "dev.hydravisor.recording",
        "dev.hydravisor.instance",
        "dev.hydravisor.model",
        "dev.hydravisor.agent",
        "dev.hydravisor.policy",
        "dev.hydravisor.audit"
    })
    static class App {}

    @BeforeAll
    static void start() throws IOException {
        ollama = StandInProcess.start();
        bedrock = StandInProcess.startBedrock();
        folder = Files.createTempDirectory(Path.of("/tmp"), "hy");
        System.setProperty("hydra.launcher", "/bin/true");
        daemon = new SpringApplicationBuilder(App.class)
                .web(WebApplicationType.NONE)
                .initializers(c -> {
                    var beans = (org.springframework.context.support.GenericApplicationContext) c;
                    beans.registerBean(HydraHome.class, () -> new HydraHome(folder.resolve("home")));
                    beans.registerBean(ShellBackend.class, ShellBackend::new);
                })
                .run(
                        "--spring.main.banner-mode=off",
                        "--spring.datasource.url=jdbc:h2:async:" + folder.resolve("db"),
                        "--spring.jpa.hibernate.ddl-auto=none",
                        "--agent.steps=4",
                        "--model.presets[0].name=smith",
                        "--model.presets[0].model=ollama:tool",
                        "--spring.ai.bedrock.aws.region=eu-central-1",
                        "--spring.ai.bedrock.aws.access-key=" + BedrockStandIn.ACCESS_KEY,
                        "--spring.ai.bedrock.aws.secret-key=" + BedrockStandIn.SECRET_KEY,
                        "--spring.ai.bedrock.aws.endpoint=" + bedrock.url());
    }

    @AfterAll
    static void stop() throws IOException {
        try {
            daemon.getBean(Tmux.class).run("kill-server");
        } catch (HydraException e) {
            // none runs
        }
        daemon.close();
        ollama.close();
        bedrock.close();
        System.clearProperty("hydra.launcher");
        FileSystemUtils.deleteRecursively(folder);
    }

    @BeforeEach
    void open(TestInfo test) throws IOException {
        Files.deleteIfExists(folder.resolve("home/policy.yaml"));
        instance = "w" + Math.abs(test.getDisplayName().hashCode());
        daemon.getBean(dev.hydravisor.instance.InstanceService.class)
                .create(Operation.silent(), instance, new VmSpec("tiny", 1, 256, 0, "me", null, "default"));
        daemon.getBean(WorkspaceService.class).open(Operation.silent(), instance, Size.DEFAULT, "me");
        await().until(() -> screen().contains("$"));
    }

    @AfterEach
    void leave() throws InterruptedException {
        if (command.isAlive()) {
            session.type("\u0004");
            command.join(10_000);
            assertThat(command.isAlive()).as("the view is still there").isFalse();
        }
    }

    @Test
    void aCommandIsRunInTheSharedShellOnceTheUserAllowedIt() {
        chat("tool");
        ask("run_command echo made-$((40+2)) > " + folder + "/made; cat " + folder + "/made");
        var asked = answer("y");
        assertThat(asked).contains("ollama:tool wants to run_command:", "echo made-$((40+2)) > " + folder + "/made");
        assertThat(expect(PROMPT)).contains("run_command said: exit status 0", "made-42");

        assertThat(folder.resolve("made")).hasContent("made-42");
        assertThat(screen()).contains("made-42");
        assertThat(marks()).containsSequence("tool_call", "approval").contains("handover", "tool_result");
        assertThat(entries())
                .filteredOn(e -> e.path("kind").asString("").equals("approval"))
                .singleElement()
                .satisfies(e -> assertThat(e.path("content").asString("")).contains("approved once: run_command echo"));
        assertThat(recorded()).contains("made-42");
        assertThat(writer()).isEmpty();
    }

    @Test
    void theModelIsToldOfStatusesQuotesAndOutputOfAnyShape() {
        allowAll();
        chat("tool");
        ask("run_command false # it's \"over\" 'now'");
        assertThat(expect(PROMPT)).contains("exit status 1");
        ask("run_command printf 'a\\rb\\n\\033[31mred\\033[0m\\n'; (exit 42)");
        assertThat(expect(PROMPT)).contains("exit status 42", "b\n", "red");
        ask("run_command cd /tmp && X=kept");
        assertThat(expect(PROMPT)).contains("exit status 0");
        ask("run_command echo $X in $(pwd)");
        assertThat(expect(PROMPT)).contains("kept in /tmp");
        ask("run_command seq 1 20000");
        assertThat(expect(PROMPT)).contains("characters left out", "\n20000");
    }

    @Test
    void aCommandThatOutlastsItsTimeIsWaitedForAndNothingIsTypedOverIt() {
        allowAll();
        chat("tool");
        ask("run_command {\"command\": \"sleep 3; echo done-$((1+1))\", \"seconds\": 1}");
        assertThat(expect(PROMPT)).contains("still running after");
        ask("run_command echo too early");
        assertThat(expect(PROMPT)).contains("still runs in the shell");
        ask("wait_for");
        assertThat(expect(PROMPT)).contains("exit status 0", "done-2");
    }

    @Test
    void controlCharactersNeverReachTheShell() {
        allowAll();
        chat("tool");
        ask("run_command {\"command\": \"echo a\\nrm -rf /x\"}");
        assertThat(expect(PROMPT)).contains("error: a command is one line without control characters");
        ask("run_command {\"command\": \"echo \\u001b[201~x\"}");
        assertThat(expect(PROMPT)).contains("error: a command is one line without control characters");
        assertThat(screen()).doesNotContain("echo");
    }

    @Test
    void whatIsHalfTypedIsNoPartOfTheCommand() {
        allowAll();
        var pane = shell();
        daemon.getBean(Tmux.class).run("send-keys", "-t", pane.id(), "-l", "rm -rf ");
        chat("tool");
        ask("run_command echo clean");
        assertThat(expect(PROMPT)).contains("exit status 0", "clean");
    }

    @Test
    void anAnswerOfNoIsToldToTheModel() {
        chat("tool");
        ask("run_command touch " + folder + "/never");
        answer("n");
        assertThat(expect(PROMPT)).contains("run_command said: denied by the user");
        assertThat(folder.resolve("never")).doesNotExist();
        assertThat(marks()).contains("denial");
    }

    @Test
    void alwaysHoldsForThisVeryCommandAndNoOther() {
        chat("tool");
        ask("run_command echo one");
        answer("a");
        assertThat(expect(PROMPT)).contains("exit status 0");
        ask("run_command echo one");
        assertThat(expect(PROMPT)).contains("exit status 0").doesNotContain(ALLOW);
        ask("run_command echo one two");
        answer("n");
        assertThat(expect(PROMPT)).contains("denied by the user");
    }

    @Test
    void anEditedCommandIsRunInPlaceOfTheModels() {
        chat("tool");
        ask("run_command echo wrong");
        answer("e");
        expect("run> ");
        session.type("\u0015echo right\r");
        assertThat(expect(PROMPT))
                .contains("the user changed this to \033[36mecho right\033[0m", "exit status 0", "right");
    }

    @Test
    void whatWasTypedBeforeTheQuestionIsNoApproval() {
        chat("tool");
        session.type("run_command touch " + folder + "/ahead\ry\r");
        expect("answer again");
        answer("n");
        expect(PROMPT);
        assertThat(folder.resolve("ahead")).doesNotExist();
    }

    @Test
    void ctrlCAtTheQuestionStopsTheWholeTask() {
        chat("tool");
        ask("run_command echo x");
        expect(ALLOW);
        session.type("\u0003");
        expect("[stopped]");
        expect(PROMPT);
        assertThat(writer()).isEmpty();
    }

    @Test
    void whatThePolicyDeniesIsToldToTheModelAndTheUser() throws IOException {
        policy("rules: [{rule: deny, pattern: shutdown, reason: this machine stays up}]");
        chat("tool");
        ask("run_command sudo shutdown now");
        assertThat(expect(PROMPT))
                .contains("denied: run_command sudo shutdown now (this machine stays up)")
                .contains("run_command said: denied by policy: this machine stays up");
        assertThat(screen()).doesNotContain("shutdown");
        assertThat(marks()).contains("tool_call", "denial");
    }

    @Test
    void aPolicyThatCannotBeReadAllowsNothing() throws IOException {
        policy("rules: [{rule: maybe}]");
        chat("tool");
        ask("read_screen");
        assertThat(expect(PROMPT)).contains("nothing is allowed until it is right");
    }

    @Test
    void filesAreReadListedAndWrittenWithTheirDiffShown() throws IOException {
        Files.writeString(folder.resolve("note"), "one\ntwo\n");
        chat("tool");
        ask("read_file " + folder + "/note");
        assertThat(expect(PROMPT)).contains("read_file said: one\ntwo");
        ask("list_files " + folder);
        assertThat(expect(PROMPT)).contains("note");
        ask("write_file {\"path\": \"" + folder + "/note\", \"content\": \"one\\nthree\\n\"}");
        assertThat(answer("y")).contains("-two", "+three");
        assertThat(expect(PROMPT)).contains("written: ");
        assertThat(folder.resolve("note")).hasContent("one\nthree\n");
        ask("read_file /does/not/exist");
        assertThat(expect(PROMPT)).contains("error: ", "No such file");
        ask("read_file relative");
        assertThat(expect(PROMPT)).contains("error: \033[36mpath\033[0m must be absolute");
    }

    @Test
    void aModelWaitsWhileTheUserHasTheShell() {
        allowAll();
        chat("tool");
        type("/take");
        expect("the shell is yours");
        expect(PROMPT);
        assertThat(writer()).isEqualTo("user");
        ask("run_command echo later");
        expect("the shell is yours; /give lets `ollama:tool` go on");
        assertThat(screen()).doesNotContain("later");
        daemon.getBean(AgentService.class).give(instance);
        assertThat(expect(PROMPT)).contains("exit status 0");
        assertThat(marks()).contains("handover");
    }

    @Test
    void aTaskEndsAtItsLimitOfSteps() {
        allowAll();
        chat("tool-again");
        ask("run_command true");
        expect("the task reached its limit of 4 steps; /retry lets the model go on");
        expect(PROMPT);
        assertThat(marks()).contains("limit");
    }

    @Test
    void aModelThatCannotUseToolsJustTalks() {
        chat("no-tools");
        ask("hello");
        expect("`ollama:no-tools` cannot use tools; it can only talk");
        expect("ollama:no-tools> hello");
        expect(PROMPT);
    }

    @Test
    void aModelOfBedrockUsesToolsAsWell() {
        chat("bedrock:tools-at-once");
        session.type("run_command echo from-$((40+2))\033\rread_screen\r");
        assertThat(answer("y")).contains("bedrock:tools-at-once wants to run_command:");
        assertThat(expect(PROMPT)).contains("run_command said: exit status 0", "from-42", "read_screen said:");
        ask("hello");
        assertThat(expect(PROMPT)).contains("there is no tool call in: hello");
    }

    @Test
    void aModelOfBedrockThatTakesNoToolsInStreamsUsesThemInWholeAnswers() {
        chat("bedrock:tool-whole");
        session.type("run_command echo from-$((40+2))\r");
        assertThat(answer("y")).contains("bedrock:tool-whole wants to run_command:");
        assertThat(expect(PROMPT))
                .contains("run_command said: exit status 0", "from-42")
                .doesNotContain("cannot use tools", "error: ");
        ask("hello");
        assertThat(expect(PROMPT)).contains("there is no tool call in: hello");
    }

    @Test
    void aModelOfBedrockThatRefusesToolsJustTalksAndIsToldInWordsWhatWasDoneBefore() {
        allowAll();
        chat("tool");
        ask("run_command echo before-$((40+2))");
        expect(PROMPT);
        type("/model bedrock:no-tools");
        expect("leaves this machine");
        expect(PROMPT);
        ask("[[recite]] all of it");
        expect("\033[2mnote: `bedrock:no-tools` cannot use tools; it can only talk");
        assertThat(expect(PROMPT))
                .contains("was done:", "before-42", "[[recite]] all of it")
                .doesNotContain("error: ");
        ask("hello");
        assertThat(expect(PROMPT)).contains("bedrock:no-tools> hello").doesNotContain("cannot use tools");
    }

    @Test
    void whoeverActedOrAnsweredByTheNameOfAPresetIsOnRecordItself() {
        chat("smith");
        ask("run_command true");
        answer("y");
        expect("exit status 0");
        expect(PROMPT);
        assertThat(entries())
                .filteredOn(e -> List.of("tool_call", "tool_result")
                        .contains(e.path("kind").asString()))
                .hasSize(2)
                .allSatisfy(e -> assertThat(e.at("/data/model").asString()).isEqualTo("ollama:tool"))
                .allSatisfy(e -> assertThat(e.at("/data/preset").asString()).isEqualTo("smith"));
        var answer = entries().stream()
                .filter(e -> e.path("role").asString("").equals("assistant"))
                .reduce((_, last) -> last)
                .orElseThrow();
        assertThat(answer.path("model").asString()).isEqualTo("ollama:tool");
        assertThat(answer.at("/data/preset").asString()).isEqualTo("smith");
        assertThat(answer.at("/data/identity").asString()).matches("sha256:[0-9a-f]{64}");
    }

    @Test
    void badArgumentsAndUnknownToolsAreToldToTheModel() {
        chat("tool");
        ask("run_command {\"comand\": \"x\"}");
        assertThat(expect(PROMPT)).contains("error: \033[36mrun_command\033[0m has no argument \033[36mcomand");
        ask("call launch_rockets now");
        assertThat(expect(PROMPT)).contains("error: there is no such tool");
    }

    @Test
    void whereNobodyCanBeAskedNothingIsDone() {
        var pipe = TestSession.pipe(Map.of("OLLAMA_HOST", ollama.url()), "run_command touch " + folder + "/unasked\n");
        pipe.runs(Thread.currentThread());
        console().run(pipe, List.of("model", "chat", "tool", "--workspace", instance));
        assertThat(pipe.printed()).contains("denied by the user");
        assertThat(pipe.complained()).contains("there is no terminal to ask at");
        assertThat(folder.resolve("unasked")).doesNotExist();
    }

    @Test
    void whatToolsDidIsRememberedInTheNextQuestion() {
        allowAll();
        chat("tool");
        ask("run_command echo remembered");
        expect(PROMPT);
        type("/model recite");
        expect("now `ollama:recite` answers");
        expect(PROMPT);
        ask("say all");
        assertThat(expect(PROMPT)).contains("tool: exit status 0", "remembered");
    }

    private Console console() {
        return new Console(List.of(new ModelCommands(
                daemon.getBean(Models.class),
                daemon.getBean(Dialogs.class),
                daemon.getBean(AgentService.class),
                Values.any(),
                Values.any())));
    }

    private void chat(String model) {
        session = TestSession.terminal(Map.of("OLLAMA_HOST", ollama.url(), "TERM", "xterm"));
        seen = 0;
        var console = console();
        command = Thread.ofPlatform()
                .unstarted(() -> console.run(session, List.of("model", "chat", model, "--workspace", instance)));
        session.runs(command);
        command.start();
        expect(PROMPT);
    }

    private void type(String line) {
        session.type(line + "\r");
    }

    /** Types a question and waits until it stands there. */
    private void ask(String question) {
        type(question);
        expect(question.substring(Math.max(0, question.length() - 8)));
    }

    /** Waits for the question of approval, answers it as a person would, and returns what was shown before. */
    private String answer(String key) {
        var shown = expect(ALLOW);
        try {
            Thread.sleep(400);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        type(key);
        return shown;
    }

    /** Waits until the terminal was sent this, behind what was waited for before; returns what came up to it, its lines plain. */
    private String expect(String text) {
        try {
            await().atMost(Duration.ofSeconds(20)).until(() -> session.sent().indexOf(text, seen) >= 0);
        } catch (ConditionTimeoutException e) {
            throw new AssertionError(
                    "`" + text + "` is not in\n" + session.sent().substring(seen), e);
        }
        var from = seen;
        seen = session.sent().indexOf(text, from) + text.length();
        return session.sent().substring(from, seen).replace("\r", "");
    }

    private void allowAll() {
        try {
            policy("rules: [{rule: allow}]");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static void policy(String rules) throws IOException {
        Files.writeString(folder.resolve("home/policy.yaml"), rules);
    }

    private Pane shell() {
        return daemon.getBean(Tmux.class).panes().orElseThrow().stream()
                .filter(p -> p.isShell() && p.name().equals(instance))
                .findFirst()
                .orElseThrow();
    }

    private String screen() {
        return daemon.getBean(Tmux.class).screen(shell(), 0);
    }

    private String writer() {
        return daemon.getBean(Tmux.class).format(shell(), "#{@writer}");
    }

    private Path recording() {
        return folder.resolve("home/logs").resolve(Objects.requireNonNull(shell().recording()));
    }

    private String recorded() {
        try {
            return Files.readString(recording().resolve("terminal.raw"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private List<JsonNode> entries() {
        try (var lines = Files.lines(recording().resolve("dialog.jsonl"))) {
            return lines.<JsonNode>map(JsonMapper.shared()::readTree).toList();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private List<String> marks() {
        return entries().stream().map(n -> n.path("kind").asString("")).toList();
    }
}
