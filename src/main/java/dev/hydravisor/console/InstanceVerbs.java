package dev.hydravisor.console;

import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import dev.hydravisor.workspace.Launch;
import dev.hydravisor.workspace.WorkspaceService;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.springframework.stereotype.Component;

/** The verbs that VMs and containers share, and {@code list} of all instances. */
@Component
class InstanceVerbs implements Commands {
    static final Table<Instance> LIST = facts(Table.named("NAME", Instance::name));
    private static final Table<Instance> ALL =
            facts(Table.named("NAME", Instance::name).column("KIND", i -> word(i.kind())));
    private static final Table<Instance> DETAILS = LIST.column("ID", i -> i.id().toString());

    private final InstanceService instances;
    private final WorkspaceService workspaces;
    private final WorkspaceCommands workspaceCommands;
    private final Names names;

    InstanceVerbs(
            InstanceService instances, WorkspaceService workspaces, WorkspaceCommands workspaceCommands, Names names) {
        this.instances = instances;
        this.workspaces = workspaces;
        this.workspaceCommands = workspaceCommands;
        this.names = names;
    }

    /**
     * What differs from kind to kind.
     *
     * @param called such as {@code a VM}
     * @param seconds it may take to stop by itself, unless told otherwise
     * @param kills whether one that does not stop by itself is ended without being asked to
     * @param parts what is deleted with it
     */
    record Traits(Kind kind, String called, int seconds, boolean kills, String parts) {}

    @Override
    public List<HydraCommand> commands() {
        return List.of(HydraCommand.named("list", "list the instances, VMs and containers alike")
                .filter()
                .output()
                .example("hydra list --filter state=running")
                .runs(in -> in.print(instances.list(), ALL)));
    }

    /** All of them, for one kind. */
    List<HydraCommand> of(Traits traits) {
        var kind = word(traits.kind());
        var called = traits.called();
        var stop = HydraCommand.named(kind + " stop", "stop " + called)
                .argument("NAME", "which", names.instances(traits.kind()))
                .option(
                        "timeout",
                        "SECONDS",
                        "how long it may take to stop by itself",
                        Values.any(),
                        "" + traits.seconds());
        var restart = HydraCommand.named(kind + " restart", "stop and start " + called)
                .argument("NAME", "which", names.instances(traits.kind()))
                .option(
                        "timeout",
                        "SECONDS",
                        "how long it may take to stop by itself",
                        Values.any(),
                        "" + traits.seconds());
        if (traits.kills()) {
            stop.details("What has not ended by then is killed.");
            restart.details("What has not ended by then is killed.");
        } else {
            stop.flag("force", 'f', "pull the plug when it has not stopped by then");
            restart.flag("force", 'f', "pull the plug when it has not stopped by then");
        }
        return List.of(
                HydraCommand.named(kind + " list", "list the " + label(traits.kind()) + "s")
                        .filter()
                        .output()
                        .example("hydra " + kind + " list --filter state=running -o json")
                        .runs(in -> in.print(
                                instances.list().stream()
                                        .filter(i -> i.kind() == traits.kind())
                                        .toList(),
                                LIST)),
                HydraCommand.named(kind + " show", "show one of them")
                        .argument("NAME", "which", names.instances(traits.kind()))
                        .output()
                        .example("hydra " + kind + " show web -o json")
                        .runs(in -> show(in, find(in, traits.kind()).name())),
                HydraCommand.named(kind + " start", "start " + called + " and wait for its address")
                        .argument("NAME", "which", names.instances(traits.kind()))
                        .dryRun()
                        .example("hydra " + kind + " start web")
                        .judged(in -> judged(in, "start"))
                        .runs(in -> plain(in, traits, "start `%s` and wait for its address", instances::start)),
                stop.dryRun()
                        .judged(in -> judged(in, "stop"))
                        .example("hydra " + kind + " stop web --timeout 20" + (traits.kills() ? "" : " --force"))
                        .runs(in -> stop(in, traits, instances::stop, "stop")),
                restart.dryRun()
                        .judged(in -> judged(in, "restart"))
                        .example("hydra " + kind + " restart web")
                        .runs(in -> stop(in, traits, instances::restart, "restart")),
                HydraCommand.named(kind + " pause", "freeze " + called + ": it keeps its memory and gets no processor")
                        .argument("NAME", "which", names.instances(traits.kind()))
                        .dryRun()
                        .example("hydra " + kind + " pause web")
                        .judged(in -> judged(in, "pause"))
                        .runs(in -> plain(in, traits, "pause `%s`", instances::pause)),
                HydraCommand.named(kind + " resume", "let " + called + " that is paused go on")
                        .argument("NAME", "which", names.instances(traits.kind()))
                        .dryRun()
                        .example("hydra " + kind + " resume web")
                        .judged(in -> judged(in, "resume"))
                        .runs(in -> plain(in, traits, "resume `%s`", instances::resume)),
                HydraCommand.named(kind + " delete", "delete " + called + " with its " + traits.parts())
                        .argument("NAME", "which", names.instances(traits.kind()))
                        .flag("force", 'f', "even while it runs")
                        .dryRun()
                        .details("Its recordings stay; `hydra recording list` shows them.")
                        .example("hydra " + kind + " delete web --force")
                        .judged(in -> judged(in, "delete"))
                        .runs(in -> delete(in, traits)));
    }

    /** The options of {@code create} that concern its workspace; {@link #launch} reads them. */
    HydraCommand.Builder workspaceOptions(HydraCommand.Builder create) {
        return create.option("model", "MODEL", "attach this model, as provider:id", names.models())
                .flag("attach", 'a', "enter the workspace once it is open")
                .flag("no-record", "do not record the workspace");
    }

    private List<Action> judged(Invocation in, String verb) {
        return List.of(instances.action(verb, in.argument("NAME")));
    }

    /** What {@link #launch} is about to do, for the policy. */
    static List<Action> launching(Invocation in, String name, InstanceSpec spec) {
        var actions = new ArrayList<Action>();
        var creation = InstanceService.creation(name, spec);
        actions.add(creation);
        var model = in.option("model");
        if (model != null) {
            actions.add(WorkspaceService.attaching(name, ModelRef.parse(model).toString()));
        }
        actions.add(WorkspaceService.action("open", name));
        actions.add(Action.on(word(spec.kind()) + ".shell", name).image(creation.image()));
        return actions;
    }

    /** Makes and starts an instance, opens its workspace, and enters that where asked to. */
    void launch(Invocation in, String name, InstanceSpec spec) {
        requireTerminal(in, name);
        workspaces.launch(
                in.operation(),
                new Launch(
                        name,
                        spec,
                        in.option("model"),
                        Endpoint.of(in.session()::environment).environment(),
                        WorkspaceCommands.size(in),
                        WorkspaceCommands.user(),
                        !in.flag("no-record")));
        enterOrShow(in, name);
    }

    /** {@code --attach} is refused before anything is made. */
    static void requireTerminal(Invocation in, String name) {
        if (in.flag("attach") && !(in.session().inIsTerminal() && in.session().outIsTerminal())) {
            throw HydraException.usage(
                    "`--attach` needs a terminal; leave it out, and enter with `hydra workspace open "
                            + PlainText.shorten(name) + "`");
        }
    }

    void enterOrShow(Invocation in, String name) {
        if (in.flag("attach")) {
            workspaceCommands.enter(in, name);
        } else {
            show(in, name);
        }
    }

    void show(Invocation in, String name) {
        in.print(instances.find(name), DETAILS);
    }

    /** The instance named, which is to be of this kind. */
    Instance find(Invocation in, Kind kind) {
        var found = instances.find(in.argument("NAME"));
        if (found.kind() != kind) {
            throw HydraException.usage("`" + found.name() + "` is a " + label(found.kind()) + "; use `hydra "
                    + in.command().getName().replaceFirst("^\\w+", word(found.kind())) + "`");
        }
        return found;
    }

    @FunctionalInterface
    private interface Verb {
        void on(dev.hydravisor.operation.Operation operation, String name);
    }

    private void plain(Invocation in, Traits traits, String plan, Verb verb) {
        var name = find(in, traits.kind()).name();
        if (in.dryRun()) {
            in.out().println(plan.formatted(name));
            return;
        }
        verb.on(in.operation(), name);
    }

    @FunctionalInterface
    private interface Stop {
        void on(dev.hydravisor.operation.Operation operation, String name, Duration limit, boolean force);
    }

    private void stop(Invocation in, Traits traits, Stop verb, String word) {
        var name = find(in, traits.kind()).name();
        var limit = Duration.ofSeconds(in.number("timeout", 0, 86_400));
        var force = traits.kills() || in.flag("force");
        if (in.dryRun()) {
            in.out()
                    .println("ask `" + name + "` to stop within " + limit.toSeconds() + " s"
                            + (traits.kills() ? ", then kill it" : force ? ", then pull the plug" : "")
                            + (word.equals("restart") ? "; start it again" : ""));
            return;
        }
        verb.on(in.operation(), name, limit, force);
    }

    private void delete(Invocation in, Traits traits) {
        var name = find(in, traits.kind()).name();
        if (in.dryRun()) {
            in.out().println("delete `" + name + "`, its " + traits.parts() + "; its recordings stay");
            return;
        }
        instances.delete(in.operation(), name, in.flag("force"));
    }

    private static Table<Instance> facts(Table<Instance> names) {
        return names.column("STATE", i -> i.state().name().toLowerCase(Locale.ROOT))
                .column("IMAGE", i -> i.spec().image())
                .column("CPUS", i -> i.spec().processors())
                .column(
                        "MEMORY",
                        i -> i.spec().memoryMib() == 0
                                ? ""
                                : PlainText.bytes(i.spec().memoryMib() << 20))
                .column("ADDRESS", i -> Objects.requireNonNullElse(i.address(), ""))
                .column("MODEL", i -> Objects.requireNonNullElse(i.model(), ""))
                .column("AGE", i -> PlainText.age(i.created()))
                .column("REASON", i -> Objects.requireNonNullElse(i.reason(), ""));
    }

    static String word(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    private static String label(Kind kind) {
        return kind == Kind.VM ? "VM" : "container";
    }

    /** A size such as {@code 512M} or {@code 2G}, in MiB; a bare number is MiB. */
    static long mebibytes(String option, String text) {
        return Mebibytes.of("--" + option + " ", text);
    }
}
