package dev.hydravisor.workspace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.inventory.Attachments;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.inventory.Workspaces;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.standin.StandInProcess;
import dev.hydravisor.workspace.Workspace.State;
import dev.hydravisor.workspace.tmux.Pane;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.autoconfigure.AutoConfigurationPackage;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.Configuration;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.StringNode;

/** Against the real tmux, database and recorder, in a home whose name would break any careless quoting. */
@ExtendWith(AsUser.class)
class WorkspaceIT {
    private static final VmSpec SPEC = new VmSpec("tiny", 1, 256, 0, "me", null, "default");
    private static final String MODEL = "ollama:llama3.2";

    private final ShellBackend backend = new ShellBackend();
    private Path folder = Path.of("/");
    private Path home = Path.of("/");
    private @Nullable ConfigurableApplicationContext context;

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
        "dev.hydravisor.policy",
        "dev.hydravisor.audit"
    })
    static class App {}

    @BeforeEach
    void start() throws IOException {
        folder = Files.createTempDirectory(Path.of("/tmp"), "hy");
        home = folder.resolve("a b'\"$(touch pwned)`id`#{x}#[y]%H\\;é;");
        var launcher = folder.resolve("it's $(a) launcher;");
        Files.writeString(launcher, "#!/bin/sh\necho \"[$*] [$OLLAMA_HOST] [$HYDRA_HOME]\"\nexec cat\n");
        Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));
        System.setProperty("hydra.launcher", launcher.toString());
        restart();
    }

    @AfterEach
    void stop() throws IOException {
        try {
            tmux().run("kill-server");
        } catch (HydraException e) {
            // none runs
        }
        context().close();
        System.clearProperty("hydra.launcher");
        assertThat(Path.of("pwned")).doesNotExist();
        FileSystemUtils.deleteRecursively(folder);
    }

    @Test
    void whatIsTypedInAPaneIsRecordedFromTheFirstByteOnAndAcrossARestartOfTheDaemon() {
        var opened = open("web");
        type("web", "echo before-$((40+2))");
        await(() -> terminal(opened).contains("before-42"));

        context().close();
        keys("web", "echo while-$((1+1))");
        restart();
        type("web", "echo after-$((40+3))");
        await(() -> terminal(opened).contains("after-43"));

        var found = workspaces().find("web");
        assertThat(found.session()).isEqualTo(opened.session());
        assertThat(found.recording()).isEqualTo(opened.recording());
        assertThat(terminal(opened)).startsWith("the first byte").contains("while-2");

        workspaces().close(Operation.silent(), "web");
        assertThat(tmux().panes()).isEmpty();
        assertThat(recording(opened).state()).isEqualTo(Recording.State.ENDED);
        assertThat(recording(opened).endReason()).isEqualTo("closed by user");
        assertThatThrownBy(() -> workspaces().find("web")).hasMessageContaining("has no open workspace");
    }

    @Test
    void openingAgainChangesNothingButStartsWhatEnded() {
        var opened = open("web");
        attach("web", MODEL);
        var before = panes().stream().map(Pane::id).toList();

        workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
        assertThat(panes()).extracting(Pane::id).isEqualTo(before);

        type("web", "exit 7");
        await(() ->
                "status 7".equals(workspaces().find("web").panes().getFirst().ended()));
        workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
        type("web", "echo again-$((1+1))");

        await(() -> terminal(opened).contains("again-2"));
        assertThat(panes()).extracting(Pane::id).isEqualTo(before);
        assertThat(panes()).noneMatch(Pane::dead);
        assertThat(backend.instances).hasSize(1);
    }

    @Test
    void aShellPaneThatWasKilledComesBackBesideTheDialogAndIsRecorded() {
        var opened = open("web");
        attach("web", MODEL);
        tmux().killPane(shell());

        workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
        type("web", "echo back-$((1+1))");

        await(() -> terminal(opened).contains("back-2"));
        assertThat(panes()).extracting(Pane::role).containsExactly("shell", "dialog");
    }

    @Test
    void aKilledTmuxServerIsSaidPlainlyAndTheWorkspaceReopensOnRequest() {
        var opened = open("web");
        kill(tmux().run("display-message", "-p", "#{pid}").strip());

        await(() -> recording(opened).state() == Recording.State.ENDED);
        var ended = workspaces().find("web");
        assertThat(ended.state()).isEqualTo(State.ENDED);
        assertThat(ended.reason()).isEqualTo("the tmux server ended; `hydra workspace open web` opens it anew");
        assertThat(recording(opened).endReason()).isEqualTo("tmux server ended");
        assertThatThrownBy(() -> workspaces().attachCommand("web")).hasMessageContaining("no open workspace");

        var again = workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
        assertThat(again.state()).isEqualTo(State.OPEN);
        assertThat(again.recording()).isNotEqualTo(opened.recording());
        await(() -> terminal(again).contains("the first byte"));
    }

    @Test
    void aKilledRecorderIsStartedAgainByItselfAndWhatCameMeanwhileIsNotLost() {
        var opened = open("web");
        await(() -> terminal(opened).contains("$ "));
        await(() -> !recorders(opened).isEmpty());
        recorders(opened).forEach(WorkspaceIT::kill);

        type("web", "seq -f gap-%g 5000");
        await(() -> shell().stopped());
        assertThat(workspaces().find("web").panes().getFirst().recorded()).isFalse();
        assertThat(bean(TmuxCheck.class).findings())
                .anySatisfy(f -> assertThat(f.detail()).isEqualTo("the recorder of workspace `web` stopped"));

        await(() -> terminal(opened).contains("gap-5000"));
        assertThat(terminal(opened).lines().map(String::strip).filter(l -> l.startsWith("gap-")))
                .hasSize(5000);
        await(() -> shell().recorded());
    }

    @Test
    void aModelsDialogComesAndGoesWhileTheShellStays() {
        open("web");
        var shell = shell();

        workspaces().attachModel(Operation.silent(), "web", MODEL, Map.of("OLLAMA_HOST", "127.0.0.1:1;"));
        workspaces().attachModel(Operation.silent(), "web", MODEL, Map.of("OLLAMA_HOST", "127.0.0.1:2"));
        workspaces().attachModel(Operation.silent(), "web", "ollama:qwen", Map.of());
        assertThat(panes()).extracting(Pane::model).containsExactly(null, MODEL, "ollama:qwen");
        assertThat(shell().id()).isEqualTo(shell.id());
        assertThat(shell().active()).isTrue();
        // A blank at the edge of the pane is none on its screen.
        await(() -> screen(panes().get(1))
                .replaceAll("\\s", "")
                .contains(
                        ("model chat " + MODEL + " --workspace web] [127.0.0.1:1;] [" + home + "]").replace(" ", "")));
        await(() -> screen(panes().get(2)).replaceAll("\\s", "").contains("--workspaceweb][]["));

        assertThatThrownBy(() -> workspaces().detachModel("web", null))
                .hasMessage("`web` has several models; name one of " + MODEL + ", ollama:qwen");
        assertThat(tmux().run("show-options", "-v", "-t", shell.session(), "@models")
                        .strip())
                .isEqualTo(MODEL + ", ollama:qwen");
        assertThat(workspaces().detachModel("web", MODEL)).isEqualTo(MODEL);
        assertThat(workspaces().detachModel("web", null)).isEqualTo("ollama:qwen");
        assertThat(panes()).extracting(Pane::id).containsExactly(shell.id());
        assertThatThrownBy(() -> workspaces().detachModel("web", null)).hasMessageStartingWith("no model is attached");
        assertThat(bean(Attachments.class).findAll()).isEmpty();
    }

    @Test
    void aRecordingIsStoppedAndAnotherStartedWhileTheWorkspaceGoesOn() {
        var opened = open("web");
        type("web", "echo one-$((1+1))");
        await(() -> terminal(opened).contains("one-2"));

        assertThat(workspaces().stopRecording("web")).isEqualTo(opened.recording());
        assertThat(recording(opened).endReason()).isEqualTo("stopped by user");
        assertThat(bean(RecordingService.class).verify(recording(opened).id()).problems())
                .isEmpty();
        assertThatThrownBy(() -> workspaces().stopRecording("web")).hasMessageContaining("is not recorded");
        type("web", "echo two-$((1+1))");
        await(() -> workspaces().screen("web").contains("two-2"));
        assertThat(workspaces().find("web").recording()).isNull();

        var next = workspaces().startRecording("web", "me");
        assertThat(workspaces().startRecording("web", "me")).isEqualTo(next);
        type("web", "echo three-$((1+1))");
        await(() -> terminal(workspaces().find("web")).contains("three-2"));
        assertThat(terminal(opened)).doesNotContain("two-2", "three-2");
        workspaces().close(Operation.silent(), "web");
        assertThat(bean(RecordingService.class).verify(next).problems()).isEmpty();
    }

    @Test
    void aShellMoreIsRecordedByItselfAndComesAndGoesWhileTheFirstStays() {
        var opened = open("web");
        attach("web", MODEL);
        type("web", "echo one-$((1+1))");
        await(() -> terminal(opened).contains("one-2"));

        assertThat(workspaces().split("web", "me")).isEqualTo("shell-2");
        var more = panes().stream()
                .filter(p -> p.role().equals("shell-2"))
                .findFirst()
                .orElseThrow();
        assertThat(more.recording()).isNotEqualTo(opened.recording());
        await(() -> screen(more).strip().endsWith("$"));
        tmux().run("send-keys", "-t", more.id(), "echo two-$((1+1))", "Enter");
        var file = bean(RecordingService.class)
                .find(String.valueOf(more.recording()))
                .file("terminal.raw");
        await(() -> read(file).contains("two-2"));
        assertThat(terminal(opened)).doesNotContain("two-2");
        assertThat(workspaces().find("web").recording()).isEqualTo(opened.recording());
        assertThat(workspaces().find("web").panes())
                .extracting(Workspace.Pane::role)
                .containsExactlyInAnyOrder("shell", "shell-2", "dialog");
        assertThat(workspaces().find("web").panes()).allMatch(Workspace.Pane::recorded);

        workspaces().pauseRecording("web");
        assertThat(panes()).filteredOn(Pane::isTerminal).hasSize(2).allMatch(Pane::paused);
        workspaces().resumeRecording("web");
        await(() -> panes().stream().filter(Pane::isTerminal).allMatch(Pane::recorded));

        tmux().run("send-keys", "-t", more.id(), "exit 3", "Enter");
        await(() -> panes().stream().anyMatch(p -> p.id().equals(more.id()) && p.dead()));
        workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
        assertThat(panes()).noneMatch(Pane::dead).hasSize(3);
        tmux().killPane(more);
        var recordings = bean(RecordingService.class);
        await(() -> recordings.find(String.valueOf(more.recording())).state() == Recording.State.ENDED);
        assertThat(recordings.find(String.valueOf(more.recording())).endReason())
                .isEqualTo("pane closed");
        assertThat(recordings.verify(String.valueOf(more.recording())).problems())
                .isEmpty();
        assertThat(recording(opened).state()).isEqualTo(Recording.State.RECORDING);
        type("web", "echo three-$((1+1))");
        await(() -> terminal(opened).contains("three-2"));
    }

    @Test
    void aWorkspaceIsFoundByANameOfTheUsersOwnUntilItIsClosed() {
        open("web");
        bean(InstanceService.class).create(Operation.silent(), "db", SPEC);

        workspaces().rename("web", "payments");
        assertThat(workspaces().named("payments")).isEqualTo("web");
        assertThat(workspaces().find("web").called()).isEqualTo("payments");
        assertThat(tmux().format(shell(), "#{T:status-left}")).contains("payments (web)");
        assertThatThrownBy(() -> workspaces().rename("web", "db")).hasMessageContaining("name of another instance");
        assertThatThrownBy(() -> workspaces().rename("web", "a b")).hasMessageContaining("is no name");
        kill(tmux().run("display-message", "-p", "#{pid}").strip());
        await(() -> workspaces().find("web").state() == State.ENDED);
        assertThat(workspaces()
                        .open(Operation.silent(), workspaces().named("payments"), Size.DEFAULT, "me")
                        .called())
                .isEqualTo("payments");

        workspaces().rename("web", null);
        assertThat(workspaces().find("web").called()).isNull();
        assertThat(workspaces().named("payments")).isEqualTo("payments");
    }

    @Test
    void aWatcherSeesTheWorkspaceAndCannotType() throws IOException {
        var opened = open("web");
        type("web", "echo before-$((1+1))");
        await(() -> terminal(opened).contains("before-2"));
        var seen = new StringWriter();
        var keys = "rm -rf /\r".chars().iterator();
        bean(RecordingService.class).follow(recording(opened).id(), seen, millis -> {
            if (keys.hasNext()) {
                return keys.nextInt();
            }
            if (!seen.toString().contains("later-$")) {
                keys("web", "echo later-$((1+1)); printf '\\033[6n\\033[?1003h'");
            }
            Thread.sleep(millis);
            return seen.toString().contains("later-2") ? 'q' : -1;
        });
        assertThat(seen.toString()).contains("before-2", "later-2").doesNotContain("rm -rf", "\033[6n", "\033[?1003h");
        assertThat(workspaces().screen("web")).doesNotContain("rm -rf");
    }

    @Test
    void nothingIsRecordedWhileARecordingIsPausedAndItGoesOnAfterwards() {
        var opened = open("web");
        type("web", "echo one-$((1+1))");
        await(() -> terminal(opened).contains("one-2"));
        assertThatThrownBy(() -> workspaces().resumeRecording("web")).hasMessageContaining("is not paused");

        assertThat(workspaces().pauseRecording("web")).isEqualTo(opened.recording());
        assertThatThrownBy(() -> workspaces().pauseRecording("web")).hasMessageContaining("paused already");
        await(() -> recording(opened).state() == Recording.State.PAUSED);
        assertThat(bean(TmuxCheck.class).findings()).allMatch(f -> f.level() == dev.hydravisor.host.Check.Level.OK);
        type("web", "echo two-$((1+1))");
        await(() -> workspaces().screen("web").contains("two-2"));
        context()
                .publishEvent(new DialogTurn(
                        "web",
                        DialogTurn.Role.USER,
                        ModelRef.parse(MODEL),
                        null,
                        null,
                        "off the record",
                        DialogTurn.Finish.COMPLETE,
                        Instant.now()));
        tmux().run("wait-for", "-S", "hydra");

        assertThat(workspaces().resumeRecording("web")).isEqualTo(opened.recording());
        type("web", "echo three-$((1+1))");
        await(() -> terminal(opened).contains("three-2"));
        assertThat(terminal(opened)).doesNotContain("two-2");
        assertThat(read(recording(opened).file("dialog.jsonl")))
                .contains("\"pause\"", "\"resume\"")
                .doesNotContain("off the record");
        workspaces().close(Operation.silent(), "web");
        assertThat(bean(RecordingService.class).verify(recording(opened).id()).problems())
                .isEmpty();
    }

    @Test
    void aLineIsSentAndPanesAreArranged() {
        var opened = open("web");
        attach("web", MODEL);
        await(() -> screen(shell()).strip().endsWith("$"));
        workspaces().send("web", "echo sent-$((1+1))");
        await(() -> terminal(opened).contains("sent-2"));
        assertThat(read(recording(opened).file("dialog.jsonl"))).contains("\"input\"", "echo sent-$((1+1))");
        assertThatThrownBy(() -> workspaces().send("web", "a\nb")).hasMessageContaining("one line");
        tmux().setPane(shell(), "@writer", MODEL);
        assertThatThrownBy(() -> workspaces().send("web", "true")).hasMessageContaining("has the shell");

        workspaces().arrange("web", Layout.STACKED);
        assertThat(panes()).extracting(Pane::columns).containsOnly(120);
        workspaces().arrange("web", Layout.SIDE);
        assertThat(shell().columns()).isBetween(70, 73);
        assertThat(shell().rows()).isGreaterThan(30);
    }

    @Test
    void aWorkspaceThatCannotBeRecordedIsClosedWhereThePolicySaysSo() throws IOException {
        context().close();
        context = WorkspaceDaemon.context(home, folder.resolve("db"), backend, "--recording.on-failure=stop");
        var opened = open("web");
        await(() -> terminal(opened).contains("$ "));
        Files.writeString(recording(opened).file("recorder.err"), "17 No space left on device\n");
        tmux().run("wait-for", "-S", "hydra");

        await(() -> recording(opened).state() == Recording.State.ENDED);
        assertThat(recording(opened).endReason()).isEqualTo("not recorded: the recorder failed");
        await(() -> workspaces().list().isEmpty());
    }

    @Test
    void aWorkspaceThatEndedWithItsServerComesBackWithWhatStoodThere() {
        var opened = open("web");
        type("web", "echo before-$((1+1))");
        await(() -> terminal(opened).contains("before-2"));
        kill(tmux().run("display-message", "-p", "#{pid}").strip());
        await(() -> recording(opened).state() == Recording.State.ENDED);

        var again = workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");

        await(() -> workspaces().screen("web").contains("before-2"));
        await(() -> terminal(again).contains("[until here from " + opened.recording() + "]"));
        type("web", "echo after-$((1+1))");
        await(() -> terminal(again).contains("after-2"));
    }

    @Test
    void aTurnOfTheDialogIsPutIntoTheRecording() {
        var opened = open("web");

        context()
                .publishEvent(new DialogTurn(
                        "web",
                        DialogTurn.Role.ASSISTANT,
                        ModelRef.parse(MODEL),
                        "reviewer",
                        "sha256:4711",
                        "what is up?",
                        DialogTurn.Finish.COMPLETE,
                        Instant.now()));

        assertThat(read(recording(opened).file("dialog.jsonl")))
                .contains(
                        "what is up?",
                        "\"model\":\"" + MODEL + "\"",
                        "\"preset\":\"reviewer\"",
                        "\"identity\":\"sha256:4711\"",
                        "complete");
    }

    @Test
    void theArchiveNamesTheImageAndTheModelsByTheirDigests() throws IOException {
        try (var ollama = StandInProcess.start()) {
            var opened = open("web");
            var endpoint = Map.of("OLLAMA_HOST", ollama.url());
            workspaces().attachModel(Operation.silent(), "web", "ollama:echo", endpoint);
            var digest = bean(Models.class).identity(ModelRef.parse("ollama:echo"), new Endpoint(endpoint));
            assertThat(digest).startsWith("sha256:");
            for (int turn = 0; turn < 2; turn++) {
                context()
                        .publishEvent(new DialogTurn(
                                "web",
                                DialogTurn.Role.ASSISTANT,
                                ModelRef.parse("ollama:echo"),
                                null,
                                digest,
                                "hello",
                                DialogTurn.Finish.COMPLETE,
                                Instant.now()));
            }
            await(() -> read(recording(opened).file("dialog.jsonl")).contains(digest));

            workspaces().close(Operation.silent(), "web");
            var meta = JsonMapper.shared().readTree(recording(opened).file("meta.json"));
            assertThat(meta.path("image_digest").asString()).isEqualTo(ShellBackend.IMAGE_DIGEST);
            assertThat(meta.path("model_identities").properties())
                    .containsExactly(Map.entry("ollama:echo", new StringNode(digest)));
            assertThat(read(recording(opened).file("dialog.jsonl")).split("\"kind\" *: *\"identity\"", -1))
                    .hasSize(2);
            assertThat(bean(RecordingService.class)
                            .verify(recording(opened).id())
                            .problems())
                    .isEmpty();
        }
    }

    @Test
    void aClientInsideAnotherTmuxAttachesAndItsSizeIsRecorded() {
        var opened = open("web");
        var outer = List.of("tmux", "-S", folder.resolve("outer").toString(), "-f", "/dev/null");
        var start = new ArrayList<>(outer);
        start.addAll(List.of("new-session", "-d", "-x", "90", "-y", "30", "--"));
        start.addAll(workspaces().attachCommand("web"));
        Processes.require(Duration.ofSeconds(5), start);
        try {
            await(() -> workspaces().find("web").attached() == 1);
            await(() -> read(recording(opened).file("resize.idx")).contains(" 90x"));
            keys("web", "echo seen-$((1+1))");
            await(() -> shown(outer).contains("seen-2"));
            // Its program ends: the pane says why, and a key brings it back.
            keys("web", "exit 7");
            await(() -> shown(outer).contains("ended: status 7 · prefix R starts it again"));
            var again = new ArrayList<>(outer);
            again.addAll(List.of("send-keys", "C-b", "R"));
            Processes.require(Duration.ofSeconds(5), again);
            await(() -> !shell().dead());
            type("web", "echo back-$((1+1))");
            await(() -> terminal(opened).contains("back-2"));
        } finally {
            var end = new ArrayList<>(outer);
            end.add("kill-server");
            Processes.run(Duration.ofSeconds(5), end);
        }
        await(() -> workspaces().find("web").attached() == 0);
    }

    @Test
    void aWatcherSeesAllPanesAndNoKeyOfHisReachesAnything() {
        open("web");
        attach("web", MODEL);
        var outer = List.of("tmux", "-S", folder.resolve("outer").toString(), "-f", "/dev/null");
        var start = new ArrayList<>(outer);
        start.addAll(List.of("new-session", "-d", "-x", "200", "-y", "50", "--"));
        start.addAll(workspaces().watchCommand("web"));
        Processes.require(Duration.ofSeconds(5), start);
        try {
            await(() -> workspaces().find("web").attached() == 1);
            type("web", "echo seen-$((1+1))");
            // The dialog's pane too.
            await(() -> shown(outer).contains("seen-2") && shown(outer).contains("--workspace"));
            for (var keys : List.of(
                    List.of("echo typed-by-a-watcher", "Enter"),
                    List.of("C-b", ":", "respawn-pane -k", "Enter"),
                    List.of("C-b", "x", "y"),
                    List.of("C-b", "o", "echo typed-by-a-watcher", "Enter"),
                    List.of("C-b", "C-b", "C-c", "C-d"))) {
                var press = new ArrayList<>(outer);
                press.add("send-keys");
                press.addAll(keys);
                Processes.require(Duration.ofSeconds(5), press);
            }
            type("web", "echo later-$((1+1))");
            await(() -> shown(outer).contains("later-2"));
            assertThat(panes()).hasSize(2).noneMatch(Pane::dead);
            assertThat(panes()).allSatisfy(p -> assertThat(screen(p)).doesNotContain("typed-by"));
            var leave = new ArrayList<>(outer);
            leave.addAll(List.of("send-keys", "C-b", "d"));
            Processes.require(Duration.ofSeconds(5), leave);
            await(() -> workspaces().find("web").attached() == 0);
        } finally {
            var end = new ArrayList<>(outer);
            end.add("kill-server");
            Processes.run(Duration.ofSeconds(5), end);
        }
    }

    @Test
    void aDeletedInstanceLeavesNoSessionAndNoRow() {
        var opened = open("web");
        attach("web", MODEL);

        bean(InstanceService.class).delete(Operation.silent(), "web", true);

        assertThat(tmux().panes()).isEmpty();
        assertThat(bean(Workspaces.class).findAll()).isEmpty();
        assertThat(bean(Attachments.class).findAll()).isEmpty();
        assertThat(recording(opened).endReason()).isEqualTo("instance deleted");
    }

    @Test
    void aSessionWhoseInstanceIsNoMoreIsReportedAndNotKilled() {
        open("web");
        bean(Instances.class).deleteAll();

        assertThat(workspaces().list()).singleElement().satisfies(w -> {
            assertThat(w.state()).isEqualTo(State.ORPHANED);
            assertThat(w.reason()).contains("its instance is no more");
        });
        bean(InstanceService.class).create(Operation.silent(), "web", SPEC);
        assertThatThrownBy(() -> workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me"))
                .hasMessageContaining("earlier `web` is still open");

        workspaces().close(Operation.silent(), "web");
        assertThat(tmux().panes()).isEmpty();
        workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
    }

    @Test
    void aLaunchThatFailsInTheEndLeavesNothing() {
        backend.shell = List.of();

        assertThatThrownBy(() -> launch("web", MODEL)).hasMessage("the guest offers no login");

        assertThat(backend.instances).isEmpty();
        assertThat(bean(Instances.class).findAll()).isEmpty();
        assertThat(bean(Attachments.class).findAll()).isEmpty();
        assertThat(workspaces().list()).isEmpty();
        assertThat(tmux().panes()).isEmpty();
    }

    @Test
    void aLaunchShowsItsStagesAndDoesNothingTwice() {
        var stages = new ArrayList<String>();
        var listener = new Operation.Listener() {
            @Override
            public void started(String stage) {
                stages.add(stage);
            }

            @Override
            public void finished(String stage, Duration elapsed) {}
        };
        var launch = new Launch("web", SPEC, MODEL, Map.of(), Size.DEFAULT, "me", true);

        var first = workspaces().launch(new Operation(listener), launch);
        var second = workspaces().launch(Operation.silent(), launch);

        assertThat(stages).containsSubsequence("attaching model", "opening workspace");
        assertThat(first.panes()).extracting(Workspace.Pane::role).containsExactly("shell", "dialog");
        assertThat(second).isEqualTo(first);
        assertThat(first.panes()).allMatch(Workspace.Pane::recorded);
    }

    @Test
    void anUnrecordedWorkspaceStaysUnrecorded() {
        workspaces().launch(Operation.silent(), new Launch("web", SPEC, null, Map.of(), Size.DEFAULT, "me", false));
        kill(tmux().run("display-message", "-p", "#{pid}").strip());
        await(() -> tmux().panes().isEmpty());

        var again = workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");

        assertThat(again.recording()).isNull();
        assertThat(bean(RecordingService.class).list()).isEmpty();
    }

    @Test
    void manyWorkspacesAreOpenedAtOnce() {
        var request = Request.current();
        IntStream.range(0, 6).parallel().forEach(i -> request.run(() -> open("w" + i)));

        assertThat(workspaces().list()).hasSize(6).allMatch(w -> w.state() == State.OPEN);
    }

    @Test
    void aWorkspaceIsOpenedAgainTheMomentTheLastOneWasClosed() {
        bean(InstanceService.class).create(Operation.silent(), "web", SPEC);
        for (int i = 0; i < 15; i++) {
            var opened = workspaces().open(Operation.silent(), "web", Size.DEFAULT, "me");
            await(() -> terminal(opened).startsWith("the first byte"));
            workspaces().close(Operation.silent(), "web");
        }
        assertThat(bean(RecordingService.class).list())
                .hasSize(15)
                .allMatch(r -> "closed by user".equals(r.endReason()));
    }

    @Test
    void aPaneNobodyReadsIsRecordedAgain() {
        var opened = open("web");
        await(() -> shell().recorded());
        tmux().run("pipe-pane", "-t", shell().id());

        tmux().run("wait-for", "-S", "hydra");
        await(() -> shell().recorded());
        type("web", "echo on-$((1+1))");

        await(() -> terminal(opened).contains("on-2"));
    }

    @Test
    void doctorSaysWhatTmuxItFoundAndWhereItsServerIs() {
        open("web");

        assertThat(bean(TmuxCheck.class).findings()).singleElement().satisfies(f -> {
            assertThat(f.level()).isEqualTo(dev.hydravisor.host.Check.Level.OK);
            assertThat(f.detail()).contains(home.resolve("run/tmux.sock").toString());
        });
    }

    private static String shown(List<String> outer) {
        var screen = new ArrayList<>(outer);
        screen.addAll(List.of("capture-pane", "-p"));
        return Processes.require(Duration.ofSeconds(5), screen);
    }

    private Workspace open(String name) {
        return launch(name, null);
    }

    private Workspace launch(String name, @Nullable String model) {
        return workspaces()
                .launch(Operation.silent(), new Launch(name, SPEC, model, Map.of(), Size.DEFAULT, "me", true));
    }

    private void attach(String name, String model) {
        workspaces().attachModel(Operation.silent(), name, model, Map.of());
    }

    /** Types once the shell has shown its prompt. */
    private void type(String name, String line) {
        await(() -> screen(shell()).strip().endsWith("$"));
        keys(name, line);
    }

    private void keys(String name, String line) {
        var tmux = new Tmux(new HydraHome(home));
        var pane = tmux.panes().orElseThrow().stream()
                .filter(p -> p.name().equals(name) && p.isShell())
                .findFirst()
                .orElseThrow();
        tmux.run(List.of(
                List.of("send-keys", "-t", pane.id(), "-l", line), List.of("send-keys", "-t", pane.id(), "Enter")));
    }

    private String screen(Pane pane) {
        return tmux().run("capture-pane", "-p", "-t", pane.id());
    }

    private List<Pane> panes() {
        return tmux().panes().orElseThrow();
    }

    private Pane shell() {
        return panes().stream().filter(Pane::isShell).findFirst().orElseThrow();
    }

    private Recording recording(Workspace workspace) {
        return bean(RecordingService.class).list().stream()
                .filter(r -> r.id().equals(workspace.recording()))
                .findFirst()
                .orElseThrow();
    }

    private String terminal(Workspace workspace) {
        return read(recording(workspace).file("terminal.raw"));
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file, StandardCharsets.UTF_8) : "";
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** The processes that hold the recording's bytes open. */
    private List<String> recorders(Workspace workspace) {
        var file = recording(workspace).file("terminal.raw");
        return ProcessHandle.allProcesses()
                .map(ProcessHandle::pid)
                .filter(pid -> {
                    try (var fds = Files.list(Path.of("/proc/" + pid + "/fd"))) {
                        return fds.anyMatch(fd -> {
                            try {
                                return Files.readSymbolicLink(fd).equals(file);
                            } catch (IOException e) {
                                return false;
                            }
                        });
                    } catch (IOException e) {
                        return false;
                    }
                })
                .map(pid -> "" + pid)
                .toList();
    }

    private static void kill(String pid) {
        Processes.require(Duration.ofSeconds(5), List.of("kill", "-9", pid));
    }

    private WorkspaceService workspaces() {
        return bean(WorkspaceService.class);
    }

    private Tmux tmux() {
        return bean(Tmux.class);
    }

    private <T> T bean(Class<T> type) {
        return context().getBean(type);
    }

    private ConfigurableApplicationContext context() {
        return java.util.Objects.requireNonNull(context);
    }

    private void restart() {
        context = WorkspaceDaemon.context(home, folder.resolve("db"), backend);
    }

    private static void await(Callable<Boolean> condition) {
        var limit = System.nanoTime() + Duration.ofSeconds(15).toNanos();
        try {
            while (!condition.call()) {
                assertThat(System.nanoTime())
                        .as("it did not come to pass within 15 s")
                        .isLessThan(limit);
                Thread.sleep(30);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
