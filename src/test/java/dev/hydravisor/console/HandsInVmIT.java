package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The whole way: a scripted model acts in a real VM, allowed from its pane, and everything is in the recording. */
@Timeout(300)
class HandsInVmIT {
    @SuppressWarnings("NullAway.Init")
    private static StandInProcess ollama;

    @SuppressWarnings("NullAway.Init")
    private static Hydra hydra;

    @BeforeAll
    static void create() throws IOException {
        var environment = new HashMap<>(TestLibvirt.shared().environment());
        ollama = StandInProcess.start();
        environment.put("OLLAMA_HOST", ollama.url());
        hydra = Hydra.start(environment);
        Files.writeString(
                hydra.home().resolve("config.yaml"),
                "model: { presets: [{ name: parrot, model: 'ollama:recite', system: be brief }] }");
        hydra.ok(
                "vm",
                "create",
                "web",
                "--image",
                TestLibvirt.guest().toString(),
                "--memory",
                "128M",
                "--cpus",
                "1",
                "--model",
                "ollama:tool");
    }

    @AfterAll
    static void delete() {
        hydra.run("vm", "delete", "web", "--force");
        hydra.close();
        ollama.close();
    }

    @Test
    void modelsAreAttachedByTheMenuEachWithAPaneOfItsOwnAndDetachedWhileTheShellGoesOn() {
        hydra.ok("workspace", "open", "web");
        waitFor(hydra, "dialog", "you>");
        var shell = pane(hydra, "shell");
        hydra.tmux("send-keys", "-t", shell, "kept=here", "Enter");
        try (var terminals = Tmux.start(hydra.environment())) {
            var menu = terminals.newSession(80, 24, Hydra.argv("model", "attach", "web"));
            menu.waitFor("source>");
            assertThat(menu.screen()).contains("bedrock", "ollama ", "presets");
            menu.line("presets").waitFor("model [preset:parrot]>");
            menu.line("back").waitFor("source>");
            menu.line("nothing").waitFor("type a number from 1 to 3, or a part of a name; Ctrl-C leaves");
            menu.line("oll").waitFor("model>");
            menu.line("echo").waitFor("its dialog is beside the shell");
            assertThat(menu.screen()).contains("initialising ollama:echo:latest");
            assertThat(menu.waitForEnd()).isZero();

            var second = terminals.newSession(80, 24, Hydra.argv("model", "attach", "web"));
            second.waitFor("source>").line("presets").waitFor("model [preset:parrot]>");
            second.keys("Enter").waitFor("its dialog is beside the shell");
            assertThat(second.waitForEnd()).isZero();

            var third = terminals.newSession(80, 24, Hydra.argv("model", "attach", "web"));
            third.waitFor("source>")
                    .line("oll")
                    .waitFor("model>")
                    .line("broken")
                    .waitFor("error: ollama failed");
            assertThat(third.waitForEnd()).isEqualTo(1);

            var left = terminals.newSession(80, 24, Hydra.argv("model", "attach", "web"));
            left.waitFor("source>").keys("C-c");
            assertThat(left.waitForEnd()).isEqualTo(130);
        }
        line(hydra, "dialog ollama:echo:latest", "are you there");
        waitFor(hydra, "dialog ollama:echo:latest", "ollama:echo:latest> are you there");
        line(hydra, "dialog preset:parrot", "and you");
        waitFor(hydra, "dialog preset:parrot", "system: be brief");
        assertThat(hydra.ok("workspace", "show", "web"))
                .contains("ollama:tool,ollama:echo:latest,preset:parrot")
                .doesNotContain("broken");

        hydra.ok("model", "detach", "web", "ollama:echo:latest");
        hydra.ok("model", "detach", "web", "parrot");
        assertThat(hydra.tmux("list-panes", "-a", "-F", "#{@role} #{@model}").lines())
                .containsExactly("shell ", "dialog ollama:tool");
        assertThat(pane(hydra, "shell")).isEqualTo(shell);
        hydra.tmux("send-keys", "-t", shell, "echo still-$kept", "Enter");
        waitFor(hydra, "shell", "still-here");
        hydra.ok("workspace", "close", "web");
    }

    @Test
    void aModelMakesAFileInAVmOnceItIsAllowedAndIsToldWhenThePolicyDeniesIt() throws IOException {
        hydra.ok("workspace", "open", "web");
        waitFor(hydra, "dialog", "you>");

        line(hydra, "run_command echo from-$((40+2)) > /tmp/made; cat /tmp/made");
        waitFor(hydra, "dialog", "allow?");
        pause();
        line(hydra, "y");
        waitFor(hydra, "dialog", "exit status 0");
        assertThat(screen(hydra, "dialog")).contains("from-42");
        assertThat(screen(hydra, "shell")).contains("from-42");

        line(hydra, "read_file /tmp/made");
        waitFor(hydra, "dialog", "read_file said: from-42");
        line(hydra, "write_file {\"path\": \"/tmp/it's\", \"content\": \"a b\\n\"}");
        waitFor(hydra, "dialog", "+a b");
        pause();
        line(hydra, "y");
        waitFor(hydra, "dialog", "written: /tmp/it's");
        line(hydra, "list_files /tmp");
        waitFor(hydra, "dialog", "it's\n");

        Files.writeString(
                hydra.home().resolve("policy.yaml"), "rules: [{rule: deny, actions: [run_command], pattern: made}]");
        line(hydra, "run_command rm /tmp/made");
        waitFor(hydra, "dialog", "run_command said: denied by policy");

        var recording = JsonMapper.shared()
                .readTree(hydra.ok("workspace", "show", "web", "-o", "json"))
                .path("recording")
                .asString();
        var folder = hydra.home().resolve("logs").resolve(recording);
        List<JsonNode> entries;
        try (var lines = Files.lines(folder.resolve("dialog.jsonl"))) {
            entries = lines.<JsonNode>map(JsonMapper.shared()::readTree).toList();
        }
        assertThat(entries.stream().map(e -> e.path("kind").asString(""))).contains("tool_call", "approval", "denial");
        assertThat(entries)
                .anySatisfy(e -> assertThat(e.path("content").asString(""))
                        .contains("approved once: run_command echo from-$((40+2)) > /tmp/made; cat /tmp/made"));
        assertThat(Files.readString(folder.resolve("terminal.raw"))).contains("from-42");

        hydra.ok("workspace", "close", "web");
        var meta = JsonMapper.shared().readTree(folder.resolve("meta.json"));
        var image = JsonMapper.shared()
                .readTree(hydra.ok("image", "list", "-o", "json"))
                .path(0);
        assertThat(meta.path("image_digest").asString())
                .isEqualTo("sha256:" + image.path("sha256").asString());
        assertThat(meta.path("model_identities").path("ollama:tool").asString()).startsWith("sha256:");
        Files.delete(hydra.home().resolve("policy.yaml"));
    }

    private static void line(Hydra hydra, String text) {
        line(hydra, "dialog", text);
    }

    private static void line(Hydra hydra, String which, String text) {
        var pane = pane(hydra, which);
        hydra.tmux("send-keys", "-t", pane, "-l", text);
        hydra.tmux("send-keys", "-t", pane, "Enter");
    }

    private static void waitFor(Hydra hydra, String role, String text) {
        try {
            Tmux.eventually(text, () -> screen(hydra, role).contains(text));
        } catch (AssertionError e) {
            throw new AssertionError(
                    e.getMessage() + "; it shows\n" + screen(hydra, role)
                            + hydra.run("daemon", "logs").out(),
                    e);
        }
    }

    private static String screen(Hydra hydra, String role) {
        return hydra.tmux("capture-pane", "-p", "-J", "-S", "-", "-t", pane(hydra, role));
    }

    /** The first pane of a role, or of a role and a model. */
    private static String pane(Hydra hydra, String which) {
        return hydra.tmux("list-panes", "-a", "-F", "#{pane_id} #{@role} #{@model}")
                .lines()
                .filter(l -> (l + " ").contains(" " + which + " "))
                .findFirst()
                .map(l -> l.split(" ")[0])
                .orElseThrow();
    }

    /** An approval is taken only from somebody who can have read what was asked. */
    private static void pause() {
        try {
            Thread.sleep(600);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
