package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.workspace.Launch;
import dev.hydravisor.workspace.WorkspaceService;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** {@code vm …}, and {@code list} of instances of every kind. */
@Component
class VmCommands implements Commands {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,9})(?:([MGT])(?:i?B)?)?", Pattern.CASE_INSENSITIVE);

    private static final Table<Instance> LIST = facts(Table.named("NAME", Instance::name));
    private static final Table<Instance> ALL = facts(Table.named("NAME", Instance::name)
            .column("KIND", i -> i.kind().name().toLowerCase(Locale.ROOT)));
    private static final Table<Instance> DETAILS = LIST.column("ID", i -> i.id().toString());

    private final InstanceService instances;
    private final WorkspaceService workspaces;
    private final WorkspaceCommands workspaceCommands;
    private final Names names;

    VmCommands(
            InstanceService instances, WorkspaceService workspaces, WorkspaceCommands workspaceCommands, Names names) {
        this.instances = instances;
        this.workspaces = workspaces;
        this.workspaceCommands = workspaceCommands;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("vm create", "create a VM, start it, and open its workspace")
                        .argument("NAME", "the VM's name, which is also its host name", Values.any())
                        .requiredOption(
                                "image",
                                "IMG",
                                "an imported image, one of the catalog, or a disk image's path",
                                names.images())
                        .option("model", "MODEL", "attach this model, as provider:id", names.models())
                        .flag("attach", 'a', "enter the workspace once it is open")
                        .option("cpus", "N", "virtual processors", Values.any(), "2")
                        .option("memory", "SIZE", "memory, such as 512M or 4G", Values.any(), "2G")
                        .option(
                                "disk",
                                "SIZE",
                                "the disk's size, such as 20G; at least the image's own, which is the default",
                                Values.any())
                        .option("user", "USER", "the account made in the guest", Values.any(), "hydra")
                        .option("user-data", "FILE", "cloud-config to merge into the seed", Values.files())
                        .option("network", "NAME", "the libvirt network it is on", Values.any(), "default")
                        .flag("no-workspace", "leave the workspace closed")
                        .flag("no-record", "do not record the workspace")
                        .dryRun()
                        .output()
                        .details("""
                                The disk is a linked clone of the image; the seed makes the account and lets in the VM's own key alone.
                                Running it again does what is left: the same name with the same options is no error.
                                """)
                        .example("hydra vm create web --image debian-13 --model ollama:llama3.2 --attach")
                        .runs(this::create),
                HydraCommand.named("vm list", "list the VMs")
                        .filter()
                        .output()
                        .example("hydra vm list --filter state=running -o json")
                        .runs(in -> in.print(
                                instances.list().stream()
                                        .filter(i -> i.kind() == Kind.VM)
                                        .toList(),
                                LIST)),
                HydraCommand.named("list", "list the instances, VMs and containers alike")
                        .filter()
                        .output()
                        .example("hydra list --filter state=running")
                        .runs(in -> in.print(instances.list(), ALL)),
                HydraCommand.named("vm show", "show one VM")
                        .argument("NAME", "the VM", names.instances())
                        .output()
                        .example("hydra vm show web -o json")
                        .runs(in -> in.print(instances.find(in.argument("NAME")), DETAILS)),
                HydraCommand.named("vm start", "start a VM and wait for its address")
                        .argument("NAME", "the VM", names.instances())
                        .dryRun()
                        .example("hydra vm start web")
                        .runs(this::start),
                HydraCommand.named("vm stop", "stop a VM")
                        .argument("NAME", "the VM", names.instances())
                        .option("timeout", "SECONDS", "how long it may take to stop by itself", Values.any(), "60")
                        .flag("force", 'f', "pull the plug when it has not stopped by then")
                        .dryRun()
                        .example("hydra vm stop web --timeout 20 --force")
                        .runs(this::stop),
                HydraCommand.named("vm delete", "delete a VM with its disk, seed, key and workspace")
                        .argument("NAME", "the VM", names.instances())
                        .flag("force", 'f', "even while it runs")
                        .dryRun()
                        .details("Its recordings stay; `hydra recording list` shows them.")
                        .example("hydra vm delete web --force")
                        .runs(this::delete),
                HydraCommand.named("vm console", "enter a VM's serial console")
                        .argument("NAME", "the VM", names.instances())
                        .details("Ctrl-] leaves it.")
                        .example("hydra vm console web")
                        .runs(in -> in.exit(in.session().run(instances.consoleCommand(in.argument("NAME"))))));
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

    private void create(Invocation in) {
        var name = in.argument("NAME");
        var spec = new VmSpec(
                image(in),
                (int) in.number("cpus", 1, 512),
                mebibytes("memory", in.requiredOption("memory")),
                in.option("disk") == null ? 0 : gibibytes(in.requiredOption("disk")),
                in.requiredOption("user"),
                userData(in),
                in.requiredOption("network"));
        if (in.dryRun()) {
            instances.plan(name, spec).forEach(in.out()::println);
            return;
        }
        var attach = in.flag("attach");
        if (attach && !(in.session().inIsTerminal() && in.session().outIsTerminal())) {
            throw HydraException.usage(
                    "`--attach` needs a terminal; leave it out, and enter with `hydra workspace open "
                            + PlainText.shorten(name) + "`");
        }
        if (in.flag("no-workspace")) {
            instances.create(in.operation(), name, spec);
        } else {
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
        }
        if (attach) {
            workspaceCommands.enter(in, name);
        } else {
            in.print(instances.find(name), DETAILS);
        }
    }

    private void start(Invocation in) {
        var name = in.argument("NAME");
        if (in.dryRun()) {
            in.out().println("start `" + instances.find(name).name() + "` and wait for its address");
            return;
        }
        instances.start(in.operation(), name);
    }

    private void stop(Invocation in) {
        var name = in.argument("NAME");
        var limit = Duration.ofSeconds(in.number("timeout", 0, 86_400));
        if (in.dryRun()) {
            in.out()
                    .println("ask `" + instances.find(name).name() + "` to stop within " + limit.toSeconds() + " s"
                            + (in.flag("force") ? ", then pull the plug" : ""));
            return;
        }
        instances.stop(in.operation(), name, limit, in.flag("force"));
    }

    private void delete(Invocation in) {
        var name = in.argument("NAME");
        if (in.dryRun()) {
            var found = instances.find(name);
            in.out().println("delete `" + found.name() + "`, its disk, seed, key and workspace; its recordings stay");
            return;
        }
        instances.delete(in.operation(), name, in.flag("force"));
    }

    /** An image's name as typed; a path is made absolute, so that the same file is the same image from any folder. */
    private static String image(Invocation in) {
        var typed = in.requiredOption("image");
        return typed.contains("/") ? in.session().path(typed).toString() : typed;
    }

    private static @Nullable String userData(Invocation in) {
        var file = in.option("user-data");
        if (file == null) {
            return null;
        }
        try {
            return Files.readString(in.session().path(file));
        } catch (NoSuchFileException e) {
            throw HydraException.notFound("there is no file `" + PlainText.shorten(file) + "`");
        } catch (IOException e) {
            throw HydraException.failed("cannot read `" + PlainText.shorten(file) + "`: " + e.getMessage());
        }
    }

    private static long gibibytes(String text) {
        var mebibytes = mebibytes("disk", text);
        if (mebibytes % 1024 != 0) {
            throw HydraException.usage("`--disk " + PlainText.shorten(text) + "` is no whole number of GiB");
        }
        return mebibytes / 1024;
    }

    /** A size such as {@code 512M} or {@code 2G}, in MiB; a bare number is MiB. */
    static long mebibytes(String option, String text) {
        var match = SIZE.matcher(text);
        if (!match.matches() || Long.parseLong(match.group(1)) == 0) {
            throw HydraException.usage(
                    "`--" + option + " " + PlainText.shorten(text) + "` is no size; write it as 512M or 4G");
        }
        var number = Long.parseLong(match.group(1));
        var unit = match.group(2) == null ? "M" : match.group(2).toUpperCase(Locale.ROOT);
        return switch (unit) {
            case "G" -> number << 10;
            case "T" -> number << 20;
            default -> number;
        };
    }
}
