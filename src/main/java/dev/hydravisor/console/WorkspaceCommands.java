package dev.hydravisor.console;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.workspace.Layout;
import dev.hydravisor.workspace.Size;
import dev.hydravisor.workspace.Workspace;
import dev.hydravisor.workspace.WorkspaceService;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import org.springframework.stereotype.Component;

/** {@code workspace …}, and {@code model attach} and {@code model detach}. */
@Component
class WorkspaceCommands implements Commands {
    private static final Table<Workspace> LIST = Table.named("NAME", Workspace::name)
            .column("STATE", w -> w.state().name().toLowerCase(Locale.ROOT))
            .column("MODELS", w -> String.join(",", w.models()))
            .column("PANES", WorkspaceCommands::panes)
            .column("RECORDING", w -> Objects.requireNonNullElse(w.recording(), ""))
            .column("CALLED", w -> Objects.requireNonNullElse(w.called(), ""))
            .column("ATTACHED", w -> w.attached() == 0 ? "" : "" + w.attached())
            .column("AGE", w -> PlainText.age(w.created()))
            .column("REASON", w -> Objects.requireNonNullElse(w.reason(), ""));

    private static final String WHICH = "the instance, or the workspace's own name";

    private static final String[] LAYOUTS =
            Arrays.stream(Layout.values()).map(Layout::word).toArray(String[]::new);

    private final InstanceService instances;
    private final WorkspaceService workspaces;
    private final RecordingService recordings;
    private final Models models;
    private final Names names;
    private final HydraHome home;

    WorkspaceCommands(
            InstanceService instances,
            WorkspaceService workspaces,
            RecordingService recordings,
            Models models,
            Names names,
            HydraHome home) {
        this.instances = instances;
        this.recordings = recordings;
        this.models = models;
        this.workspaces = workspaces;
        this.names = names;
        this.home = home;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("workspace open", "open an instance's workspace and enter it")
                        .argument("NAME", WHICH, names.workspaces())
                        .flag("detach", 'd', "open it, but do not enter it")
                        .option(
                                "layout",
                                "LAYOUT",
                                "side (shell left, dialogs right), stacked (shell above) or tiled",
                                Values.of(LAYOUTS))
                        .details(
                                "Opens a tmux session with a shell in the instance and a dialog beside it for each attached"
                                        + " model, recorded; one that is open is entered as it is, and what ended in it is started again."
                                        + " Leave it with Ctrl-b d: everything in it goes on.")
                        .example("hydra workspace open web")
                        .judged(in ->
                                List.of(WorkspaceService.action("open", name(in)), instances.action("shell", name(in))))
                        .runs(this::open),
                HydraCommand.named("workspace list", "list the workspaces")
                        .filter()
                        .output()
                        .example("hydra workspace list --filter state=open")
                        .runs(in -> in.print(workspaces.list(), LIST)),
                HydraCommand.named("workspace show", "show one workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .output()
                        .example("hydra workspace show web -o json")
                        .runs(in -> in.print(workspaces.find(name(in)), LIST)),
                HydraCommand.named("workspace close", "close a workspace; the instance goes on")
                        .argument("NAME", WHICH, names.workspaces())
                        .dryRun()
                        .example("hydra workspace close web")
                        .judged(in -> List.of(WorkspaceService.action("close", name(in))))
                        .runs(this::close),
                HydraCommand.named("workspace rename", "give a workspace a name of your own")
                        .argument("NAME", WHICH, names.workspaces())
                        .optionalArgument(
                                "NEW-NAME", "as an instance's; without it the workspace has none", Values.any())
                        .details(
                                "Every command of workspaces takes it beside the instance's name, until the workspace is closed.")
                        .dryRun()
                        .example("hydra workspace rename web payments")
                        .judged(in -> List.of(WorkspaceService.action("rename", name(in))))
                        .runs(this::rename),
                HydraCommand.named("workspace split", "open a shell more in an open workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .details(
                                "Below the shell that is there, recorded as that is, in a recording of its own. Models never use it."
                                        + " Ctrl-b x closes it.")
                        .dryRun()
                        .example("hydra workspace split web")
                        .judged(in ->
                                List.of(WorkspaceService.action("open", name(in)), instances.action("shell", name(in))))
                        .runs(this::split),
                HydraCommand.named("workspace share", "let somebody watch a workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .flag("read-only", "what the watcher types goes nowhere; the only way")
                        .flag("recorded", "show the shell alone, as it is recorded: without its secrets")
                        .details(
                                "Shows all of its panes as they are. Nothing leads back into it: no key does anything but Ctrl-b d, which"
                                        + " leaves (with --recorded: q).")
                        .example("hydra workspace share web --read-only")
                        .judged(in -> List.of(WorkspaceService.action("enter", name(in))))
                        .runs(this::share),
                HydraCommand.named("workspace layout", "arrange the panes of an open workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .argument(
                                "LAYOUT",
                                "side (shell left, dialogs right), stacked (shell above) or tiled",
                                Values.of(LAYOUTS))
                        .example("hydra workspace layout web stacked")
                        .runs(this::arrange),
                HydraCommand.named("workspace send", "type a line into the shell of an open workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .argument("TEXT", "one line; Enter follows", Values.any())
                        .details(
                                "It takes the place of what is typed there so far. Who sent it stands in the recording.")
                        .dryRun()
                        .example("hydra workspace send web 'systemctl status nginx'")
                        .judged(in -> List.of(WorkspaceService.action("send", name(in))))
                        .runs(this::send),
                HydraCommand.named("workspace screen", "print what the shell shows")
                        .argument("NAME", WHICH, names.workspaces())
                        .example("hydra workspace screen web")
                        .runs(in -> in.out().print(workspaces.screen(name(in)))),
                HydraCommand.named("recording start", "record an open workspace")
                        .argument("NAME", WHICH, names.workspaces())
                        .example("hydra recording start web")
                        .judged(in -> List.of(WorkspaceService.recording("start", name(in))))
                        .runs(in -> in.out().println(workspaces.startRecording(name(in), user()))),
                HydraCommand.named("recording stop", "end the recording of an open workspace, which goes on")
                        .argument("NAME", WHICH, names.workspaces())
                        .example("hydra recording stop web")
                        .judged(in -> List.of(WorkspaceService.recording("stop", name(in))))
                        .runs(in -> in.out().println(workspaces.stopRecording(name(in)))),
                HydraCommand.named("recording pause", "record nothing of a workspace for a while")
                        .argument("NAME", WHICH, names.workspaces())
                        .details(
                                "Neither terminal nor dialog. The recording stays the same; that it was paused stands in it.")
                        .example("hydra recording pause web")
                        .judged(in -> List.of(WorkspaceService.recording("pause", name(in))))
                        .runs(in -> in.out().println(workspaces.pauseRecording(name(in)))),
                HydraCommand.named("recording resume", "go on with a paused recording")
                        .argument("NAME", WHICH, names.workspaces())
                        .example("hydra recording resume web")
                        .judged(in -> List.of(WorkspaceService.recording("resume", name(in))))
                        .runs(in -> in.out().println(workspaces.resumeRecording(name(in)))),
                HydraCommand.named("model attach", "attach a model to an instance")
                        .argument("INSTANCE", "the instance", names.instances())
                        .optionalArgument(
                                "MODEL",
                                "the model, as provider:id, or a preset; otherwise a menu, and without a terminal the default model",
                                names.models())
                        .flag("no-wait", "do not have the model loaded first")
                        .details("The model is loaded and says its first token; then its dialog opens beside the shell."
                                + " Several may be attached, each with a pane of its own.")
                        .dryRun()
                        .example("hydra model attach web ollama:llama3.2")
                        .judged(in -> List.of(WorkspaceService.attaching(
                                in.argument("INSTANCE"),
                                in.argumentOrNull("MODEL") == null
                                        ? ""
                                        : models.named(in.argument("MODEL")).toString())))
                        .runs(this::attach),
                HydraCommand.named("model detach", "detach a model from an instance; what was said is kept")
                        .argument("INSTANCE", "the instance", names.instances())
                        .optionalArgument("MODEL", "the model, where there are several", names.models())
                        .dryRun()
                        .example("hydra model detach web")
                        .judged(in -> List.of(WorkspaceService.detaching(
                                in.argument("INSTANCE"), Objects.requireNonNullElse(in.argumentOrNull("MODEL"), ""))))
                        .runs(this::detach));
    }

    /** Puts the user into an open workspace and says, once they leave, how to come back. */
    void enter(Invocation in, String name) {
        var status = in.session().run(workspaces.attachCommand(name));
        in.exit(status);
        if (status != 0) {
            return;
        }
        var left = workspaces.list().stream().filter(w -> w.name().equals(name)).findFirst();
        in.err()
                .println(left.map(w -> "left `" + name + "`; `hydra workspace open " + name + "` comes back"
                                + (w.recording() == null
                                        ? "; it is not recorded"
                                        : "; its recording is " + home.logs().resolve(w.recording())))
                        .orElse("workspace `" + name + "` is closed"));
    }

    private String name(Invocation in) {
        return workspaces.named(in.argument("NAME"));
    }

    private void rename(Invocation in) {
        var called = in.argumentOrNull("NEW-NAME");
        if (in.dryRun()) {
            in.out()
                    .println("call the workspace of `"
                            + workspaces.find(name(in)).name() + "` "
                            + (called == null ? "by its instance alone" : "`" + PlainText.shorten(called) + "`"));
            return;
        }
        workspaces.rename(name(in), called);
    }

    private void split(Invocation in) {
        if (in.dryRun()) {
            in.out()
                    .println(
                            "open a shell more in `" + workspaces.find(name(in)).name() + "`");
            return;
        }
        in.out().println(workspaces.split(name(in), user()));
    }

    private void open(Invocation in) {
        var name = name(in);
        var session = in.session();
        var enter = session.inIsTerminal() && session.outIsTerminal() && !in.flag("detach");
        var wanted = in.option("layout");
        var layout = wanted == null ? null : layout(wanted);
        workspaces.open(in.operation(), name, size(in), user());
        if (layout != null) {
            workspaces.arrange(name, layout);
        }
        if (enter) {
            enter(in, name);
        } else {
            in.out().println(name);
        }
    }

    private void share(Invocation in) throws IOException {
        var name = name(in);
        if (!in.flag("read-only")) {
            throw HydraException.usage("pass --read-only; who may type too opens it with `hydra workspace open`");
        }
        if (!in.session().inIsTerminal() || !in.session().outIsTerminal()) {
            throw HydraException.usage("this shows the workspace on a terminal; `hydra workspace screen " + name
                    + "` prints what stands there");
        }
        if (!in.flag("recorded")) {
            in.exit(in.session().run(workspaces.watchCommand(name)));
            return;
        }
        var recording = workspaces.find(name).recording();
        if (recording == null) {
            throw HydraException.conflict("`" + name + "` is not recorded; `hydra recording start " + name
                    + "` begins that, and without --recorded all of it is shown");
        }
        RecordingCommands.onTerminal(
                in, recordings.find(recording), (out, keys) -> recordings.follow(recording, out, keys));
    }

    private void send(Invocation in) {
        if (in.dryRun()) {
            in.out().println("type into `" + PlainText.safe(name(in)) + "`: " + PlainText.safe(in.argument("TEXT")));
            return;
        }
        workspaces.send(name(in), in.argument("TEXT"));
    }

    private void arrange(Invocation in) {
        workspaces.arrange(name(in), layout(in.argument("LAYOUT")));
    }

    private static Layout layout(String word) {
        return Arrays.stream(Layout.values())
                .filter(l -> l.word().equals(word))
                .findFirst()
                .orElseThrow(() -> HydraException.usage(
                        "`" + PlainText.shorten(word) + "` is no layout; use " + String.join(", ", LAYOUTS)));
    }

    private void close(Invocation in) {
        var name = name(in);
        if (in.dryRun()) {
            var found = workspaces.find(name);
            in.out().println("close workspace `" + found.name() + "`, whose panes are: " + panes(found));
            return;
        }
        workspaces.close(in.operation(), name);
    }

    private void attach(Invocation in) {
        var instance = in.argument("INSTANCE");
        var session = in.session();
        var typed = in.argumentOrNull("MODEL");
        var atTerminal = session.inIsTerminal() && session.outIsTerminal();
        var model = typed == null && atTerminal
                ? new ModelMenu(session, models).choose()
                : ModelCommands.named(models, typed);
        if (in.dryRun()) {
            in.out()
                    .println("attach `" + model + "` to `" + PlainText.safe(instance)
                            + "`; open its dialog where the workspace is open");
            return;
        }
        var endpoint = Endpoint.of(session::environment);
        var operation = in.operation();
        if (!in.flag("no-wait")) {
            operation.stage("initialising " + model, () -> models.warmUp(model, endpoint));
        }
        workspaces.attachModel(operation, instance, model.toString(), endpoint.environment());
        var open = workspaces.list().stream()
                .anyMatch(w -> w.name().equals(instance) && !w.panes().isEmpty());
        in.err()
                .println(
                        open
                                ? "its dialog is beside the shell"
                                : "`hydra workspace open " + PlainText.safe(instance) + "` shows its dialog");
    }

    private void detach(Invocation in) {
        var instance = in.argument("INSTANCE");
        if (in.dryRun()) {
            in.out()
                    .println("detach "
                            + PlainText.safe(Objects.requireNonNullElse(in.argumentOrNull("MODEL"), "the model"))
                            + " from `" + PlainText.safe(instance) + "`; close its dialog");
            return;
        }
        in.out().println(workspaces.detachModel(instance, in.argumentOrNull("MODEL")));
    }

    static Size size(Invocation in) {
        return in.session().outIsTerminal() ? new Size(in.session().columns(), Size.DEFAULT.rows()) : Size.DEFAULT;
    }

    /** One daemon a user: whoever asks is its owner. */
    static String user() {
        return System.getProperty("user.name");
    }

    private static String panes(Workspace workspace) {
        return workspace.panes().stream()
                .map(p -> p.role()
                        + (p.ended() == null ? "" : " (ended, " + p.ended() + ")")
                        + (p.recorded() || workspace.recording() == null ? "" : " (the recorder stopped)"))
                .collect(Collectors.joining(", "));
    }
}
