package dev.hydravisor.console;

import dev.hydravisor.container.Containers;
import dev.hydravisor.container.LogEntry;
import dev.hydravisor.host.ForeignText;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** {@code container …}. */
@Component
class ContainerCommands implements Commands {
    private static final InstanceVerbs.Traits TRAITS =
            new InstanceVerbs.Traits(Kind.CONTAINER, "a container", 10, true, "files, log and workspace");

    // [address:]host:container[/protocol], the address possibly one of IPv6 in brackets
    private static final Pattern PUBLISH =
            Pattern.compile("(?:(\\[[0-9a-fA-F:]+]|[0-9]+(?:\\.[0-9]+){3}):)?([0-9]{1,5}):([0-9]{1,5})(?:/(tcp|udp))?");
    private static final Pattern SPAN = Pattern.compile("([0-9]{1,9})([smhd])");
    private static final long MEASURE_MILLIS = 500;

    private static final Table<Containers.Usage> USAGE = Table.named("NAME", Containers.Usage::name)
            .column("CPU", u -> "%.1f%%".formatted(u.cpu() * 100))
            .column("MEMORY", u -> PlainText.bytes(u.memory()))
            .column("LIMIT", u -> u.memoryLimit() == 0 ? "" : PlainText.bytes(u.memoryLimit()))
            .column("PIDS", u -> "" + u.pids());
    private static final Table<Containers.ContainerProcess> PROCESSES = Table.<Containers.ContainerProcess>named(
                    "PID", p -> "" + p.pid())
            .column("USER", p -> "" + p.user())
            .column("STATE", p -> p.state())
            .column("RSS", p -> PlainText.bytes(p.rss()))
            .column("COMMAND", p -> p.command());

    private final InstanceService instances;
    private final Containers containers;
    private final InstanceVerbs verbs;
    private final Names names;

    ContainerCommands(InstanceService instances, Containers containers, InstanceVerbs verbs, Names names) {
        this.instances = instances;
        this.containers = containers;
        this.verbs = verbs;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        var commands = new ArrayList<>(verbs.of(TRAITS));
        commands.add(verbs.workspaceOptions(HydraCommand.named("container create", "create a container")
                        .argument("NAME", "the container's name, which is also its host name", Values.any())
                        .requiredOption("image", "REF", "a container image, such as debian:12", names.containerImages())
                        .flag("run", "start it"))
                .option("cpus", "N", "processors it may use, such as 1.5; any number unless given", Values.any())
                .option("memory", "SIZE", "memory it may use, such as 512M; all unless given", Values.any())
                .option("pids", "N", "processes and threads it may have; 0 for any number", Values.any(), "4096")
                .repeatableOption("env", "NAME=VALUE", "a variable of its environment", Values.any())
                .repeatableOption("mount", "SRC:DST[:ro]", "show it a file or folder of this host", Values.files())
                .repeatableOption(
                        "publish",
                        "[IP:]HOST:CTR[/udp]",
                        "reach its port CTR at the port HOST of this host",
                        Values.any())
                .option(
                        "network",
                        "none|bridge|host",
                        "what it sees of the network",
                        Values.of("none", "bridge", "host"),
                        "bridge")
                .option("entrypoint", "PROGRAM", "the program in place of the image's", Values.any())
                .option("user", "USER[:GROUP]", "who its process runs as, in place of the image's", Values.any())
                .option("workdir", "PATH", "where its process starts, in place of the image's", Values.any())
                .flag("read-only", "let it write nowhere but in its mounts")
                .option(
                        "restart",
                        "no|on-failure|always",
                        "whether it is started again when it ends",
                        Values.of("no", "on-failure", "always"),
                        "no")
                .rest("CMD", "the command in place of the image's")
                .dryRun()
                .output()
                .details("""
                        With --model or --attach it is started and its workspace is opened, as `vm create` does.
                        An image whose command is but a shell is kept running without one: what its shells are for is the workspace.
                        Running it again does what is left: the same name with the same options is no error.
                        """)
                .example("hydra container create web --image debian:12 --model ollama:llama3.2 --attach")
                .example("hydra container create db --image redis --memory 256M --publish 127.0.0.1:6379:6379 --run")
                .judged(in -> in.option("model") != null || in.flag("attach")
                        ? InstanceVerbs.launching(in, in.argument("NAME"), spec(in))
                        : List.of(InstanceService.creation(in.argument("NAME"), spec(in))))
                .runs(this::create));
        commands.add(HydraCommand.named("container logs", "show what a container's main process printed")
                .argument("NAME", "the container", names.instances(Kind.CONTAINER))
                .flag("follow", 'f', "go on until it ends")
                .option("tail", "N", "only the last lines", Values.any())
                .option("since", "TIME", "only since then: 10m, 2h, 1d or 2026-01-02T03:04:05Z", Values.any())
                .flag("timestamps", "each line with its time")
                .example("hydra container logs web -f --tail 20 --timestamps")
                .runs(this::logs));
        commands.add(HydraCommand.named("container exec", "run a program in a running container")
                .argument("NAME", "the container", names.instances(Kind.CONTAINER))
                .rest("CMD", "the program and its arguments")
                .flag("interactive", 'i', "give it this standard input")
                .flag("tty", 't', "give it a terminal")
                .repeatableOption("env", "NAME=VALUE", "a variable of its environment", Values.any())
                .option("user", "USER[:GROUP]", "who it runs as", Values.any())
                .option("workdir", "PATH", "where it starts", Values.any())
                .details("It ends with the program's own status.")
                .example("hydra container exec -it web sh")
                .judged(in -> List.of(containers.execution(in.argument("NAME"), command(in))))
                .runs(this::exec));
        commands.add(HydraCommand.named("container stats", "show what running containers use")
                .optionalArgument("NAME", "only this one", names.instances(Kind.CONTAINER))
                .filter()
                .output()
                .details("Processor time is measured over half a second.")
                .example("hydra container stats")
                .runs(in -> in.print(containers.usage(in.argumentOrNull("NAME"), MEASURE_MILLIS), USAGE)));
        commands.add(HydraCommand.named("container top", "show the processes of a container")
                .argument("NAME", "the container", names.instances(Kind.CONTAINER))
                .filter()
                .output()
                .example("hydra container top web")
                .runs(in -> in.print(containers.processes(in.argument("NAME")), PROCESSES)));
        commands.add(HydraCommand.named("container cp", "copy files into or out of a running container")
                .argument("FROM", "a path of this host, or NAME:PATH", Values.files())
                .argument("TO", "a path of this host, or NAME:PATH", Values.files())
                .dryRun()
                .details("A folder is copied whole. The container needs a `tar`.")
                .example("hydra container cp web:/etc/hosts ./hosts")
                .judged(this::copying)
                .runs(this::copy));
        commands.add(HydraCommand.named("container commit", "make an image of a container as it is now")
                .argument("NAME", "the container", names.instances(Kind.CONTAINER))
                .argument("IMAGE", "the name of the new image", Values.any())
                .dryRun()
                .details("What is in its mounts stays out of it. A running container is paused meanwhile.")
                .example("hydra container commit web web:tuned")
                .judged(in -> List.of(instances.action("commit", in.argument("NAME"))))
                .runs(this::commit));
        return commands;
    }

    private void create(Invocation in) {
        var name = in.argument("NAME");
        var spec = spec(in);
        var launch = in.option("model") != null || in.flag("attach");
        if (in.dryRun()) {
            instances.plan(name, spec).forEach(in.out()::println);
            return;
        }
        if (launch) {
            verbs.launch(in, name, spec);
        } else {
            instances.create(in.operation(), name, spec, in.flag("run"));
            verbs.show(in, name);
        }
    }

    private static ContainerSpec spec(Invocation in) {
        var workdir = in.option("workdir");
        if (workdir != null && !workdir.startsWith("/")) {
            throw HydraException.usage(
                    "`--workdir " + PlainText.shorten(workdir) + "` is not absolute; begin it with /");
        }
        var network = choice(in, "network", ContainerSpec.Network.values());
        var ports = in.all("publish").stream().map(ContainerCommands::port).toList();
        if (!ports.isEmpty() && network != ContainerSpec.Network.BRIDGE) {
            throw HydraException.usage("`--publish` needs `--network bridge`; leave one of them out");
        }
        return new ContainerSpec(
                in.requiredOption("image"),
                cpus(in.option("cpus")),
                memory(in.option("memory")),
                in.number("pids", 0, 4_194_304),
                env(in),
                in.all("mount").stream().map(m -> mount(in, m)).toList(),
                ports,
                network,
                in.option("entrypoint"),
                in.option("user"),
                workdir,
                in.flag("read-only"),
                choice(in, "restart", ContainerSpec.Restart.values()),
                in.rest("CMD"));
    }

    private static double cpus(@Nullable String text) {
        if (text == null) {
            return 0;
        }
        if (!text.matches("[0-9]{1,3}(\\.[0-9]{1,2})?") || Double.parseDouble(text) < 0.01) {
            throw HydraException.usage(
                    "`--cpus " + PlainText.shorten(text) + "` is no number of processors; write it as 2 or 0.5");
        }
        return Double.parseDouble(text);
    }

    private static long memory(@Nullable String text) {
        if (text == null) {
            return 0;
        }
        var mebibytes = InstanceVerbs.mebibytes("memory", text);
        if (mebibytes < 6) {
            throw HydraException.usage(
                    "`--memory " + PlainText.shorten(text) + "` is too little to start in; give 6M or more");
        }
        return mebibytes;
    }

    private static List<String> env(Invocation in) {
        for (var entry : in.all("env")) {
            if (!entry.matches("(?s)[^=\\x00]+=[^\\x00]*")) {
                throw HydraException.usage(
                        "`--env " + PlainText.shorten(entry) + "` has no value; write it as NAME=VALUE");
            }
        }
        return in.all("env");
    }

    private static ContainerSpec.Mount mount(Invocation in, String text) {
        var parts = text.split(":", -1);
        if (parts.length < 2
                || parts.length > 3
                || parts[0].isEmpty()
                || !parts[1].startsWith("/")
                || (parts.length == 3 && !parts[2].equals("ro") && !parts[2].equals("rw"))) {
            throw HydraException.usage("`--mount " + PlainText.shorten(text)
                    + "` is no mount; write it as SRC:DST or SRC:DST:ro, DST absolute");
        }
        return new ContainerSpec.Mount(
                in.session().path(parts[0]).toString(), parts[1], parts.length == 3 && parts[2].equals("ro"));
    }

    private static ContainerSpec.Port port(String text) {
        var match = PUBLISH.matcher(text);
        if (match.matches()) {
            int host = Integer.parseInt(match.group(2));
            int container = Integer.parseInt(match.group(3));
            if (host > 0 && host < 65_536 && container > 0 && container < 65_536) {
                var address = match.group(1);
                return new ContainerSpec.Port(
                        address == null ? null : address.replaceAll("[\\[\\]]", ""),
                        host,
                        container,
                        match.group(4) == null ? "tcp" : match.group(4));
            }
        }
        throw HydraException.usage("`--publish " + PlainText.shorten(text)
                + "` is no port; write it as 8080:80, 127.0.0.1:8080:80 or 53:53/udp");
    }

    private static <E extends Enum<E>> E choice(Invocation in, String option, E[] values) {
        var text = in.requiredOption(option);
        for (var value : values) {
            if (value.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(text)) {
                return value;
            }
        }
        throw HydraException.usage("`--" + option + " " + PlainText.shorten(text) + "` is unknown; see `hydra "
                + in.command().getName() + " -h`");
    }

    private void logs(Invocation in) {
        var tail = in.option("tail") == null ? -1 : in.number("tail", 0, Long.MAX_VALUE);
        var since = in.option("since");
        var timestamps = in.flag("timestamps");
        var out = new LogView(in.out(), timestamps);
        var err = new LogView(in.err(), timestamps);
        containers.logs(
                in.argument("NAME"),
                tail,
                since == null ? null : since(since),
                in.flag("follow"),
                entry -> (entry.stderr() ? err : out).show(entry));
    }

    /** Prints the entries of one of the streams. */
    private static final class LogView {
        private final PrintWriter to;
        private final boolean timestamps;
        private final ForeignText plain = new ForeignText();
        private boolean within;

        LogView(PrintWriter to, boolean timestamps) {
            this.to = to;
            this.timestamps = timestamps;
        }

        void show(LogEntry entry) {
            if (timestamps && !within) {
                to.print(entry.time() + " ");
            }
            to.print(plain.next(entry.text() + (entry.whole() ? "\n" : "")));
            within = !entry.whole();
            to.flush();
        }
    }

    private static Instant since(String text) {
        var span = SPAN.matcher(text);
        if (span.matches()) {
            var n = Long.parseLong(span.group(1));
            return Instant.now()
                    .minus(
                            switch (span.group(2)) {
                                case "s" -> Duration.ofSeconds(n);
                                case "m" -> Duration.ofMinutes(n);
                                case "h" -> Duration.ofHours(n);
                                default -> Duration.ofDays(n);
                            });
        }
        try {
            return Instant.parse(text);
        } catch (DateTimeParseException e) {
            throw HydraException.usage("`--since " + PlainText.shorten(text)
                    + "` is no time; write it as 10m, 2h, 1d or 2026-01-02T03:04:05Z");
        }
    }

    private void exec(Invocation in) {
        var name = in.argument("NAME");
        var command = command(in);
        if (in.flag("tty")) {
            in.exit(in.session().run(containers.execCommand(name, command)));
            return;
        }
        var session = in.session();
        // A terminal is kept from what would steer it; a file or a program gets every byte.
        var out = session.outIsTerminal() ? new Plain(session.out()) : session.outBytes();
        in.exit(containers.exec(
                name, command, in.flag("interactive") ? session.in() : null, out, new Plain(session.err())));
    }

    private static Containers.Command command(Invocation in) {
        var argv = in.rest("CMD");
        if (argv.isEmpty()) {
            throw HydraException.usage("CMD is missing; see `hydra container exec -h`");
        }
        return new Containers.Command(argv, env(in), in.option("user"), in.option("workdir"));
    }

    /** Shows foreign bytes as plain text. */
    private static final class Plain extends OutputStream {
        private final PrintWriter to;
        private final ForeignText plain = new ForeignText();
        private byte[] rest = new byte[0];

        Plain(PrintWriter to) {
            this.to = to;
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            var all = new byte[rest.length + length];
            System.arraycopy(rest, 0, all, 0, rest.length);
            System.arraycopy(bytes, offset, all, rest.length, length);
            // A character that is torn between two writes waits for the second.
            int whole = all.length;
            for (int back = 1; back <= Math.min(3, all.length); back++) {
                int b = all[all.length - back] & 0xff;
                if (b >= 0xc0) {
                    int wants = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
                    whole = wants > back ? all.length - back : all.length;
                    break;
                }
                if (b < 0x80) {
                    break;
                }
            }
            to.print(plain.next(new String(all, 0, whole, java.nio.charset.StandardCharsets.UTF_8)));
            to.flush();
            rest = java.util.Arrays.copyOfRange(all, whole, all.length);
        }
    }

    private List<Action> copying(Invocation in) {
        var from = Place.parse(in.argument("FROM"));
        var to = Place.parse(in.argument("TO"));
        requireOne(from, to);
        return List.of(
                from.container() != null
                        ? containers.copying(from.container(), in.session().path(to.path()))
                        : containers.copying(
                                String.valueOf(to.container()), in.session().path(from.path())));
    }

    private static void requireOne(Place from, Place to) {
        if ((from.container() == null) == (to.container() == null)) {
            throw HydraException.usage("one of FROM and TO is a path in a container; write it as NAME:PATH");
        }
    }

    private void copy(Invocation in) {
        var from = Place.parse(in.argument("FROM"));
        var to = Place.parse(in.argument("TO"));
        requireOne(from, to);
        if (in.dryRun()) {
            in.out()
                    .println("copy `" + PlainText.safe(in.argument("FROM")) + "` to `"
                            + PlainText.safe(in.argument("TO")) + "`");
            return;
        }
        if (from.container() != null) {
            containers.copyOut(
                    in.operation(), from.container(), from.path(), in.session().path(to.path()));
        } else if (to.container() != null) {
            var source = in.session().path(from.path());
            if (!Files.exists(source, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
                throw HydraException.notFound("there is no `" + PlainText.shorten(from.path()) + "`");
            }
            containers.copyIn(in.operation(), to.container(), source, to.path());
        }
    }

    /** A path of this host, or one in a container. */
    private record Place(@Nullable String container, String path) {
        static Place parse(String text) {
            var colon = text.indexOf(':');
            return colon <= 0 || text.substring(0, colon).contains("/")
                    ? new Place(null, text)
                    : new Place(text.substring(0, colon), text.substring(colon + 1));
        }
    }

    private void commit(Invocation in) {
        var name = verbs.find(in, Kind.CONTAINER).name();
        if (in.dryRun()) {
            in.out()
                    .println(
                            "make image `" + PlainText.safe(in.argument("IMAGE")) + "` of `" + name + "` as it is now");
            return;
        }
        in.out().println(containers.commit(in.operation(), name, in.argument("IMAGE")));
    }
}
