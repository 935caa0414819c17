package dev.hydravisor.console;

import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** {@code vm …}. */
@Component
class VmCommands implements Commands {
    private static final InstanceVerbs.Traits TRAITS =
            new InstanceVerbs.Traits(Kind.VM, "a VM", 60, false, "disk, seed, key and workspace");

    private final InstanceService instances;
    private final InstanceVerbs verbs;
    private final Names names;

    VmCommands(InstanceService instances, InstanceVerbs verbs, Names names) {
        this.instances = instances;
        this.verbs = verbs;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        var commands = new ArrayList<>(verbs.of(TRAITS));
        commands.add(verbs.workspaceOptions(
                        HydraCommand.named("vm create", "create a VM, start it, and open its workspace")
                                .argument("NAME", "the VM's name, which is also its host name", Values.any())
                                .requiredOption(
                                        "image",
                                        "IMG",
                                        "an imported image, one of the catalog, or a disk image's path",
                                        names.images()))
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
                .dryRun()
                .output()
                .details("""
                                The disk is a linked clone of the image; the seed makes the account and lets in the VM's own key alone.
                                Running it again does what is left: the same name with the same options is no error.
                                """)
                .example("hydra vm create web --image debian-13 --model ollama:llama3.2 --attach")
                .judged(in -> in.flag("no-workspace")
                        ? List.of(InstanceService.creation(in.argument("NAME"), spec(in)))
                        : InstanceVerbs.launching(in, in.argument("NAME"), spec(in)))
                .runs(this::create));
        commands.add(HydraCommand.named("vm console", "enter a VM's serial console")
                .argument("NAME", "the VM", names.instances(Kind.VM))
                .details("Ctrl-] leaves it.")
                .example("hydra vm console web")
                .judged(in -> List.of(instances.action("console", in.argument("NAME"))))
                .runs(in -> in.exit(in.session()
                        .run(instances.consoleCommand(verbs.find(in, Kind.VM).name())))));
        return commands;
    }

    private void create(Invocation in) {
        var name = in.argument("NAME");
        var spec = spec(in);
        if (in.dryRun()) {
            instances.plan(name, spec).forEach(in.out()::println);
            return;
        }
        if (in.flag("no-workspace")) {
            InstanceVerbs.requireTerminal(in, name);
            instances.create(in.operation(), name, spec);
            verbs.enterOrShow(in, name);
        } else {
            verbs.launch(in, name, spec);
        }
    }

    private static VmSpec spec(Invocation in) {
        return new VmSpec(
                image(in),
                (int) in.number("cpus", 1, 512),
                InstanceVerbs.mebibytes("memory", in.requiredOption("memory")),
                in.option("disk") == null ? 0 : Mebibytes.gibibytes("--disk ", in.requiredOption("disk")),
                in.requiredOption("user"),
                userData(in),
                in.requiredOption("network"));
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
}
