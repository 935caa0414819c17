package dev.hydravisor.workspace;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.recording.DialogEntry;
import dev.hydravisor.recording.RecordingService;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.support.GenericApplicationContext;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/**
 * A process of its own that does what hydrad does for workspaces and recordings, so that a test can kill it: it takes lines on stdin
 * and answers each with one that begins with {@code > }. {@code HOME DATABASE SHELL…}.
 */
final class WorkspaceDaemon {
    private static final VmSpec SPEC = new VmSpec("tiny", 1, 256, 0, "me", null, "default");

    private WorkspaceDaemon() {}

    public static void main(String[] args) throws IOException {
        var backend = new ShellBackend();
        backend.shell = List.of(args).subList(2, args.length);
        var context = context(Path.of(args[0]), Path.of(args[1]), backend);
        System.out.println("> ready");
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = in.readLine(); line != null; line = in.readLine()) {
            var question = line;
            try {
                System.out.println("> " + Request.of(Actor.user("me")).call(() -> answer(context, question)));
            } catch (HydraException e) {
                System.out.println("> failed: " + e.text());
            }
        }
        context.close();
    }

    private static String answer(ConfigurableApplicationContext context, String line) {
        var workspaces = context.getBean(WorkspaceService.class);
        var recordings = context.getBean(RecordingService.class);
        var words = line.split(" ", 3);
        switch (words[0]) {
            case "open" -> {
                context.getBean(InstanceService.class).create(Operation.silent(), words[1], SPEC);
                var opened = workspaces.open(Operation.silent(), words[1], Size.DEFAULT, "me", true);
                return String.valueOf(opened.recording());
            }
            case "say" -> {
                recordings.dialog(words[1], DialogEntry.message("user", "ollama:tiny", words[2]));
                return "said";
            }
            case "close" -> {
                workspaces.close(Operation.silent(), words[1]);
                return "closed";
            }
            case "state" -> {
                return recordings.find(words[1]).state() + " "
                        + recordings.complaints(words[1]).size();
            }
            case "verify" -> {
                var found = recordings.verify(words[1]);
                return found.unsealed() + " " + String.join("; ", found.problems());
            }
            default -> throw new IllegalArgumentException(line);
        }
    }

    static ConfigurableApplicationContext context(Path home, Path database, ShellBackend backend, String... settings) {
        return new SpringApplicationBuilder(WorkspaceIT.App.class)
                .web(WebApplicationType.NONE)
                .initializers(c -> {
                    var beans = (GenericApplicationContext) c;
                    beans.registerBean(HydraHome.class, () -> new HydraHome(home));
                    beans.registerBean(ObjectMapper.class, JsonMapper::shared);
                    beans.registerBean(ShellBackend.class, () -> backend);
                })
                .run(Stream.concat(
                                Stream.of(
                                        "--spring.main.banner-mode=off",
                                        "--logging.level.root=warn",
                                        "--spring.datasource.url=jdbc:h2:async:" + database,
                                        "--spring.jpa.hibernate.ddl-auto=none"),
                                Stream.of(settings))
                        .toArray(String[]::new));
    }
}
