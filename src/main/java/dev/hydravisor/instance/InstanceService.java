package dev.hydravisor.instance;

import static java.util.function.Function.identity;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.host.Processes;
import dev.hydravisor.host.ShortName;
import dev.hydravisor.image.Reference;
import dev.hydravisor.instance.Backend.Observed;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.InstanceChanged.Change;
import dev.hydravisor.inventory.AttachmentRow;
import dev.hydravisor.inventory.Attachments;
import dev.hydravisor.inventory.InstanceRow;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.stereotype.Service;
import tools.jackson.databind.json.JsonMapper;

/** The life cycle of instances, whatever their backend; what is asked for is kept, what runs is asked of the backend each time. */
@Service
public class InstanceService {
    /** How long a new or started instance may take to get its address. */
    public static final Duration ADDRESS_LIMIT = Duration.ofMinutes(3);

    private static final JsonMapper JSON = JsonMapper.shared();

    private final Map<Kind, Backend> backends;
    private final Instances instances;
    private final Attachments attachments;
    private final ApplicationEventPublisher events;
    private final Guard guard;
    private final Set<String> busy = ConcurrentHashMap.newKeySet();

    public InstanceService(
            List<Backend> backends,
            Instances instances,
            Attachments attachments,
            ApplicationEventPublisher events,
            Guard guard) {
        this.backends = new EnumMap<>(backends.stream().collect(Collectors.toMap(Backend::kind, identity())));
        this.instances = instances;
        this.attachments = attachments;
        this.events = events;
        this.guard = guard;
        backends.forEach(b -> b.onChange(this::changed));
    }

    /**
     * Makes an instance and starts it. Asking again for what is there already is success and does what is left, such as starting
     * it; an instance whose creation died half-way is first removed.
     *
     * @throws HydraException USAGE for a bad name; CONFLICT when the name is taken by another spec, with the difference
     */
    public void create(Operation operation, String name, InstanceSpec spec) {
        create(operation, name, spec, true);
    }

    /** As {@link #create(Operation, String, InstanceSpec)}, left stopped unless {@code start}. */
    public void create(Operation operation, String name, InstanceSpec spec, boolean start) {
        ShortName.check(name, "an instance");
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, creation(name, spec), () -> {
                    var backend = backend(spec.kind());
                    var known = instances.findByName(name).orElse(null);
                    if (known != null && !known.complete()) {
                        operation.stage(
                                "removing an unfinished `" + name + "`", () -> backend.delete(operation, ref(known)));
                        instances.delete(known);
                    } else if (known != null) {
                        requireSame(name, known, spec);
                        if (start) {
                            startIfStopped(operation, known);
                        }
                        return null;
                    }
                    var row = instances.save(new InstanceRow(
                            UUID.randomUUID(),
                            name,
                            spec.kind().name(),
                            JSON.writeValueAsString(spec),
                            Instant.now().truncatedTo(ChronoUnit.MILLIS)));
                    operation.onFailure("record of `" + name + "`", () -> instances.deleteById(row.getId()));
                    backend.create(operation, ref(row), spec);
                    if (start) {
                        backend.start(operation, ref(row), spec, ADDRESS_LIMIT);
                    }
                    instances.markComplete(row.getId());
                    events.publishEvent(new InstanceChanged(row.getId(), name, Change.CREATED));
                    return null;
                }));
    }

    /** What {@link #create} would do, as its stages. Checks all that can be checked without doing anything. */
    public List<String> plan(String name, InstanceSpec spec) {
        ShortName.check(name, "an instance");
        guard.require(creation(name, spec));
        var known = instances.findByName(name).orElse(null);
        if (known == null) {
            return List.of(
                    "find image `" + spec.image() + "`",
                    "create " + spec.kind().name().toLowerCase(java.util.Locale.ROOT) + " `" + name + "` with "
                            + (spec.processors().isEmpty() ? "any" : spec.processors()) + " cpu and "
                            + (spec.memoryMib() == 0 ? "any memory" : spec.memoryMib() + " MiB"),
                    "start it and wait for its address");
        }
        requireSame(name, known, spec);
        return List.of("`" + name + "` is there with this spec; start it if it is stopped");
    }

    /** Starts it and waits for its address; one that runs already is success. */
    public void start(Operation operation, String name) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("start", row), () -> {
                    startIfStopped(operation, row);
                    return null;
                }));
    }

    /**
     * Stops it gracefully within {@code limit}, after that by force if asked to; one that is stopped already is success.
     *
     * @throws HydraException FAILED when it still runs
     */
    public void stop(Operation operation, String name, Duration limit, boolean force) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("stop", row), () -> {
                    operation.stage("stopping", () -> backend(row).stop(operation, ref(row), limit, force));
                    return null;
                }));
    }

    /** Stops it as {@link #stop} does, if it runs, and starts it again. */
    public void restart(Operation operation, String name, Duration limit, boolean force) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("restart", row), () -> {
                    operation.stage("stopping", () -> backend(row).stop(operation, ref(row), limit, force));
                    startIfStopped(operation, row);
                    return null;
                }));
    }

    /**
     * Freezes it.
     *
     * @throws HydraException CONFLICT when it does not run
     */
    public void pause(Operation operation, String name) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("pause", row), () -> {
                    operation.stage("pausing", () -> backend(row).pause(ref(row)));
                    return null;
                }));
    }

    /** Lets a paused one go on; one that runs is success. */
    public void resume(Operation operation, String name) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("resume", row), () -> {
                    operation.stage("resuming", () -> backend(row).resume(ref(row)));
                    return null;
                }));
    }

    /**
     * Removes it and all that its creation made.
     *
     * @throws HydraException CONFLICT when it runs and {@code force} is false
     */
    public void delete(Operation operation, String name, boolean force) {
        var row = row(name);
        exclusively(
                name,
                () -> guard.<@Nullable Void>act(operation, action("delete", row), () -> {
                    var state = view(row, observe(row)).state();
                    if (state == State.UNAVAILABLE) {
                        backend(row).observe(); // says why it does not answer
                    }
                    if (row.complete() && !force && (state == State.RUNNING || state == State.PAUSED)) {
                        throw HydraException.conflict(label(row) + " is running; stop it first or pass --force");
                    }
                    operation.stage("deleting", () -> backend(row).delete(operation, ref(row)));
                    instances.delete(row);
                    events.publishEvent(new InstanceChanged(row.getId(), name, Change.DELETED));
                    return null;
                }));
    }

    /** All instances by name, each as its backend says it is now. Never fails because of a backend. */
    public List<Instance> list() {
        var observed = new EnumMap<Kind, Observation>(Kind.class);
        var models = attachments.findAll().stream()
                .collect(Collectors.groupingBy(
                        AttachmentRow::instanceId, Collectors.mapping(AttachmentRow::model, Collectors.joining(","))));
        return instances.findAllByOrderByName().stream()
                .map(row -> view(
                        row,
                        observed.computeIfAbsent(Kind.valueOf(row.kind()), this::observe),
                        models.get(row.getId())))
                .toList();
    }

    /** The names of all instances, without asking any backend. */
    public List<String> names() {
        return instances.findAllByOrderByName().stream().map(InstanceRow::name).toList();
    }

    /** As {@link #names()}, of one kind. */
    public List<String> names(Kind kind) {
        return instances.findAllByOrderByName().stream()
                .filter(row -> row.kind().equals(kind.name()))
                .map(InstanceRow::name)
                .toList();
    }

    /** @throws HydraException NOT_FOUND when there is none of that name */
    public Instance find(String name) {
        var row = row(name);
        return view(row, observe(row));
    }

    /** Which one is meant, without asking its backend; errors as {@link #find}. */
    public Ref ref(String name) {
        return ref(row(name));
    }

    /** Of which kind it is, without asking its backend; errors as {@link #find}. */
    public Kind kind(String name) {
        return Kind.valueOf(row(name).kind());
    }

    /** The argv of a shell in it: by SSH when the guest offers that within {@code limit}, else its console. */
    public List<String> shellCommand(String name, Duration limit) {
        var row = row(name);
        return guard.act(action("shell", row), () -> backend(row).shellCommand(ref(row), spec(row), limit));
    }

    /** The digest of the image it was made from; see {@link Backend#imageDigest}. */
    public String imageDigest(String name) {
        var row = row(name);
        return backend(row).imageDigest(ref(row), spec(row));
    }

    /** Runs a program in it to its end, beside all shells, for a caller that is guarded itself; errors as {@link Backend#exec}. */
    public Processes.Result exec(String name, List<String> argv, byte[] input, Duration limit) {
        var row = row(name);
        return backend(row).exec(ref(row), spec(row), argv, input, limit);
    }

    /** The argv of its console. */
    public List<String> consoleCommand(String name) {
        var row = row(name);
        return guard.act(action("console", row), () -> backend(row).consoleCommand(ref(row)));
    }

    /**
     * What is about to be done to an instance, for the policy.
     *
     * @param verb such as {@code start}
     * @throws HydraException NOT_FOUND when there is none of that name
     */
    public Action action(String verb, String name) {
        return action(verb, row(name));
    }

    private Action action(String verb, InstanceRow row) {
        return Action.on(row.kind().toLowerCase(java.util.Locale.ROOT) + "." + verb, row.name())
                .image(names(spec(row)));
    }

    /** What {@link #create} is about to do, for the policy. */
    public static Action creation(String name, InstanceSpec spec) {
        var action = Action.on(spec.kind().name().toLowerCase(java.util.Locale.ROOT) + ".create", name)
                .image(names(spec));
        return switch (spec) {
            case VmSpec vm ->
                action.takes(vm.cpus(), vm.memoryMib(), vm.diskGib(), List.of(vm.network()), List.of(), List.of());
            case ContainerSpec container ->
                action.subject(program(container))
                        .takes(
                                container.cpus() == 0 ? Double.POSITIVE_INFINITY : container.cpus(),
                                container.memoryMib() == 0 ? Long.MAX_VALUE : container.memoryMib(),
                                0,
                                List.of(container.network().name().toLowerCase(java.util.Locale.ROOT)),
                                container.mounts().stream()
                                        .map(ContainerSpec.Mount::source)
                                        .toList(),
                                container.ports().stream()
                                        .map(InstanceService::published)
                                        .toList());
        };
    }

    private static String program(ContainerSpec container) {
        var entrypoint = container.entrypoint() == null ? "" : container.entrypoint() + " ";
        return (entrypoint + String.join(" ", container.command())).strip();
    }

    private static String published(ContainerSpec.Port port) {
        return (port.hostAddress() == null ? "" : port.hostAddress() + ":")
                + port.hostPort()
                + (port.protocol().equals("tcp") ? "" : "/" + port.protocol());
    }

    /** All names of its image: a container's goes by a short and a full one. */
    private static Set<String> names(InstanceSpec spec) {
        var names = new LinkedHashSet<String>();
        names.add(spec.image());
        if (spec.kind() == Kind.CONTAINER) {
            try {
                var reference = Reference.parse(spec.image());
                names.add(reference.familiar());
                names.add(reference.name());
            } catch (HydraException e) {
                // The backend says what is wrong with it.
            }
        }
        return names;
    }

    private record Observation(
            Map<UUID, Observed> all, @Nullable String error) {}

    private Observation observe(Kind kind) {
        try {
            return new Observation(backend(kind).observe(), null);
        } catch (HydraException e) {
            return new Observation(Map.of(), e.text());
        }
    }

    private Observation observe(InstanceRow row) {
        return observe(Kind.valueOf(row.kind()));
    }

    private Instance view(InstanceRow row, Observation observation) {
        var models = attachments.findByInstanceIdOrderByAttached(row.getId()).stream()
                .map(AttachmentRow::model)
                .collect(Collectors.joining(","));
        return view(row, observation, models.isEmpty() ? null : models);
    }

    private Instance view(InstanceRow row, Observation observation, @Nullable String models) {
        var seen = observation.all().get(row.getId());
        State state;
        String reason = null;
        if (!row.complete()) {
            state = State.CREATING;
            reason = busy.contains(row.name()) ? null : "its creation was cut off; create it again or delete it";
        } else if (observation.error() != null) {
            state = State.UNAVAILABLE;
            reason = observation.error();
        } else if (seen == null) {
            state = State.MISSING;
            reason = "its backend no longer knows it; delete it here, or bring it back there";
        } else {
            state = seen.state();
            reason = seen.reason();
        }
        return new Instance(
                row.getId(),
                row.name(),
                Kind.valueOf(row.kind()),
                state,
                reason,
                spec(row),
                seen == null ? null : seen.address(),
                models,
                row.created());
    }

    private void startIfStopped(Operation operation, InstanceRow row) {
        var state = view(row, observe(row)).state();
        switch (state) {
            case RUNNING -> {}
            case MISSING ->
                throw HydraException.notFound(
                        label(row) + " is missing from its backend; delete it and create it anew");
            default -> backend(row).start(operation, ref(row), spec(row), ADDRESS_LIMIT);
        }
    }

    private void requireSame(String name, InstanceRow known, InstanceSpec wanted) {
        var is = JSON.readTree(known.spec());
        var asked =
                JSON.readTree(JSON.writeValueAsString(wanted)); // read as the other was: 0 as a long is no 0 as an int
        if (!known.kind().equals(wanted.kind().name())) {
            throw HydraException.conflict(
                    "`" + name + "` is a " + known.kind().toLowerCase(java.util.Locale.ROOT) + "; choose another name");
        }
        var difference = new TreeSet<>(asked.propertyNames())
                .stream()
                        .filter(f -> !Objects.equals(is.get(f), asked.get(f)))
                        .map(f -> f + " is " + is.get(f) + ", not " + asked.get(f))
                        .collect(Collectors.joining("; "));
        if (!difference.isEmpty()) {
            throw HydraException.conflict(label(known) + " is there with another spec: " + difference
                    + "; choose another name or delete it first");
        }
    }

    private InstanceRow row(String name) {
        return instances
                .findByName(name)
                .orElseThrow(() -> HydraException.notFound(
                        "there is no instance `" + PlainText.shorten(name) + "`; `hydra list` shows what there is"));
    }

    private InstanceSpec spec(InstanceRow row) {
        return switch (Kind.valueOf(row.kind())) {
            case VM -> JSON.readValue(row.spec(), VmSpec.class);
            case CONTAINER -> JSON.readValue(row.spec(), ContainerSpec.class);
        };
    }

    private Backend backend(Kind kind) {
        var backend = backends.get(kind);
        if (backend == null) {
            throw HydraException.unavailable(
                    "this hydra has no backend for " + kind.name().toLowerCase(java.util.Locale.ROOT) + "s");
        }
        return backend;
    }

    private Backend backend(InstanceRow row) {
        return backend(Kind.valueOf(row.kind()));
    }

    /** What the running instances of a kind use, by id; nothing while their backend is away. */
    public Map<UUID, Usage> usage(Kind kind) {
        try {
            return backend(kind).usage();
        } catch (HydraException e) {
            return Map.of();
        }
    }

    private void changed(UUID id) {
        instances.findById(id).ifPresent(row -> events.publishEvent(new InstanceChanged(id, row.name(), Change.STATE)));
    }

    /** One operation an instance at a time: a second one is told so rather than made to wait. */
    private <T extends @Nullable Object> T exclusively(String name, java.util.function.Supplier<T> work) {
        if (!busy.add(name)) {
            throw HydraException.conflict(
                    "another operation on `" + name + "` is running; try again when it has ended");
        }
        try {
            return work.get();
        } finally {
            busy.remove(name);
        }
    }

    private static String label(InstanceRow row) {
        return row.kind().toLowerCase(java.util.Locale.ROOT) + " `" + row.name() + "`";
    }

    private static Ref ref(InstanceRow row) {
        return new Ref(row.getId(), row.name());
    }
}
