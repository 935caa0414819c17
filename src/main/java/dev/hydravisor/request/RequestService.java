package dev.hydravisor.request;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceChanged;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.State;
import dev.hydravisor.inventory.LaunchEvents;
import dev.hydravisor.inventory.LaunchRequestRow;
import dev.hydravisor.inventory.LaunchRequests;
import dev.hydravisor.model.Dialogs;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.policy.Decision;
import dev.hydravisor.policy.Effect;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.token.Token;
import dev.hydravisor.workspace.Launch;
import dev.hydravisor.workspace.Size;
import dev.hydravisor.workspace.WorkspaceService;
import jakarta.annotation.PreDestroy;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.PayloadApplicationEvent;
import org.springframework.stereotype.Service;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Does what tokens ask for. A token sees and touches only what it launched: for it everything else is not there. A launch is kept
 * before it is begun and run once; one that this process did not live to end has failed, and what it had made is removed.
 */
@Service
public class RequestService {
    private static final Logger log = LoggerFactory.getLogger(RequestService.class);
    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .changeDefaultPropertyInclusion(i -> i.withValueInclusion(JsonInclude.Include.NON_NULL))
            .build();
    private static final Duration BETWEEN_PROGRESS = Duration.ofSeconds(1);
    private static final Duration LAST_MOMENTS = Duration.ofSeconds(10);

    private final InstanceService instances;
    private final WorkspaceService workspaces;
    private final Dialogs dialogs;
    private final Guard guard;
    private final LaunchRequests requests;
    private final LaunchEvents events;
    private final ConfigurableApplicationContext context;

    private final Map<UUID, String> owners = new ConcurrentHashMap<>();
    private final Map<String, Feed> feeds = new ConcurrentHashMap<>();
    private final Map<UUID, Running> running = new ConcurrentHashMap<>();
    private final ApplicationListener<PayloadApplicationEvent<InstanceChanged>> listener = this::changed;
    private final ExecutorService teller = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("launch events").factory());
    private volatile boolean ending;

    RequestService(
            InstanceService instances,
            WorkspaceService workspaces,
            Dialogs dialogs,
            Guard guard,
            LaunchRequests requests,
            LaunchEvents events,
            ConfigurableApplicationContext context) {
        this.instances = instances;
        this.workspaces = workspaces;
        this.dialogs = dialogs;
        this.guard = guard;
        this.requests = requests;
        this.events = events;
        this.context = context;
        requests.findByInstanceIdNotNull()
                .forEach(r -> owners.put(Objects.requireNonNull(r.instanceId()), r.tokenId()));
        requests.findByState("running").forEach(this::cutOff);
        // Not by annotation: nothing here is needed before the first token asks.
        context.addApplicationListener(listener);
    }

    /** An instance as a token sees it. */
    public record View(
            String id,
            String name,
            String kind,
            String state,
            @Nullable String reason,
            String image,
            String cpus,
            long memoryMib,
            @Nullable String address,
            @Nullable String model,
            Instant created) {
        static View of(Instance i) {
            return new View(
                    i.id().toString(),
                    i.name(),
                    word(i.kind()),
                    word(i.state()),
                    i.reason(),
                    i.spec().image(),
                    i.spec().processors(),
                    i.spec().memoryMib(),
                    i.address(),
                    i.model(),
                    i.created());
        }
    }

    /** An error in an event. */
    private record Problem(
            int code, String reason, @Nullable String field, String message) {
        static Problem of(HydraException e) {
            var refusal = Refusal.of(e);
            return new Problem(refusal.code(), refusal.reason(), refusal.field(), PlainText.safe(refusal.text()));
        }
    }

    private static final class Running {
        final String token;
        final String name;
        final Thread thread;
        volatile boolean cancelled;

        Running(String token, String name, Thread thread) {
            this.token = token;
            this.name = name;
            this.thread = thread;
        }
    }

    /** Begins to listen to a token's events; what it hears is chosen by what is asked. {@code out} must not block. */
    public Follower follow(Token token, Consumer<List<Event>> out) {
        return new Follower(feed(token.id()), out);
    }

    /**
     * Launches an instance for the current request, unless this key was launched before; then it goes on telling of that one.
     *
     * @param follower hears of it: of what is to come, and of what came after the event {@code after}
     * @param accepted is told before any event is
     * @throws Refusal 403 for what the token may not have; 409 when the key stands for another launch, or the name is taken; 422; 429
     */
    public void launch(Token token, Ask ask, long after, Gate gate, Follower follower, Consumer<Accepted> accepted) {
        if (ask.prompt() != null && ask.model() == null) {
            throw new Refusal(422, "bad_value", "prompt", "`prompt` needs a `model` it is said to");
        }
        if (ask.model() != null) {
            ModelRef.parse(ask.model());
        }
        var feed = feed(token.id());
        var request = Request.current();
        feed.locked(() -> {
            var known = requests.findByTokenIdAndIdempotencyKey(token.id(), ask.key())
                    .orElse(null);
            if (known != null) {
                if (!known.request().equals(JSON.writeValueAsString(ask))) {
                    throw new Refusal(
                            409, "key_reused", "key", "`key` stands for another launch already; choose a new one");
                }
                accepted.accept(new Accepted(known.getId(), ask.key(), known.name(), known.state(), feed.last()));
                follower.launch(known.getId(), after);
                return 0;
            }
            requireAllowed(token, ask);
            requireFree(token, ask);
            instances.plan(ask.name(), ask.spec()); // refuses what no instance can be
            gate.launch();
            var release = gate.operation();
            var row = new LaunchRequestRow(
                    UUID.randomUUID(), token.id(), ask.key(), ask.name(), JSON.writeValueAsString(ask), now());
            var thread = Thread.ofPlatform()
                    .daemon()
                    .name("launch " + ask.name())
                    .unstarted(() -> {
                        try {
                            request.run(() -> run(token, row, ask));
                        } finally {
                            running.remove(row.getId());
                            release.run();
                        }
                    });
            try {
                requests.save(row);
                accepted.accept(new Accepted(row.getId(), ask.key(), ask.name(), row.state(), feed.last()));
                follower.launch(row.getId(), feed.last());
            } catch (RuntimeException e) {
                release.run();
                throw e;
            }
            running.put(row.getId(), new Running(token.id(), ask.name(), thread));
            thread.start();
            return 0;
        });
    }

    /** What is refused is on record as well. */
    private void requireAllowed(Token token, Ask ask) {
        var action = InstanceService.creation(ask.name(), ask.spec());
        try {
            token.scope().require(ask.spec());
        } catch (HydraException e) {
            guard.denied(action, new Decision(Effect.DENY, e.text(), "token `" + token.name() + "`"), e.text());
            throw new Refusal(403, "not_allowed", null, e.text());
        }
        var decision = guard.judge(action);
        if (decision.effect() != Effect.ALLOW) {
            guard.denied(action, decision, decision.reason());
            guard.require(action);
        }
    }

    /** The name is nobody's, and the token has room for one more. */
    private void requireFree(Token token, Ask ask) {
        if (instances.names().contains(ask.name())
                || running.values().stream().anyMatch(r -> r.name.equals(ask.name()))) {
            throw new Refusal(409, "name_taken", "name", "`name` is taken; choose another");
        }
        var most = token.scope().maxInstances();
        if (most > 0) {
            var starting = running.values().stream().filter(r -> r.token.equals(token.id()));
            var there =
                    list(token).stream().filter(v -> running.values().stream().noneMatch(r -> r.name.equals(v.name())));
            if (starting.count() + there.count() >= most) {
                throw new Refusal(
                        403,
                        "too_many_instances",
                        null,
                        "this token may have " + most + " instances; delete one first");
            }
        }
    }

    private void run(Token token, LaunchRequestRow row, Ask ask) {
        var feed = feed(token.id());
        try {
            var operation = new Operation(new Teller(feed, row));
            if (ask.model() == null) {
                instances.create(operation, ask.name(), ask.spec());
            } else {
                workspaces.launch(
                        operation,
                        new Launch(
                                ask.name(),
                                ask.spec(),
                                ask.model(),
                                Map.of(),
                                Size.DEFAULT,
                                "token:" + token.name(),
                                true));
            }
            own(row);
            var body = body("ready", row);
            if (ask.model() != null && ask.prompt() != null) {
                say(operation, ask, body);
            }
            body.set("instance", JSON.valueToTree(View.of(instances.find(ask.name()))));
            end(feed, row, "ready", body);
        } catch (RuntimeException e) {
            var mine = running.get(row.getId());
            Thread.interrupted(); // what is left to do is to say so
            var failure = e instanceof HydraException h ? h : defect(e);
            if (failure.exitCode() == ExitCode.INTERRUPTED && mine != null && mine.cancelled) {
                failure = new Refusal(409, "cancelled", null, "it was cancelled; what it had made is removed");
            }
            end(feed, row, "failed", body("failed", row).set("error", JSON.valueToTree(Problem.of(failure))));
        }
    }

    /** The model's trouble is not the instance's: it is told beside it. */
    private void say(Operation operation, Ask ask, ObjectNode body) {
        try {
            var turn = operation.stage(
                    "asking the model",
                    () -> dialogs.open(
                                    ask.name(), ModelRef.parse(Objects.requireNonNull(ask.model())), Endpoint.DEFAULT)
                            .say(Objects.requireNonNull(ask.prompt()), _ -> {}));
            body.put("answer", turn.content());
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.INTERRUPTED) {
                Thread.interrupted();
                body.set(
                        "answer_error",
                        JSON.valueToTree(new Problem(409, "cancelled", null, "the answer was cancelled")));
            } else {
                body.set("answer_error", JSON.valueToTree(Problem.of(e)));
            }
        }
    }

    private void end(Feed feed, LaunchRequestRow row, String state, ObjectNode body) {
        try {
            feed.locked(() -> {
                requests.ended(row.getId(), state, feed.append(row.getId(), body));
                return 0;
            });
        } catch (RuntimeException e) {
            log.error("the end of the launch `{}` could not be kept", row.name(), e);
        }
    }

    /** Whose the instance is, from its first stage on. One that was there before was somebody's. */
    private void own(LaunchRequestRow row) {
        var made = instances.find(row.name());
        if (made.created().isBefore(row.created())) {
            throw new Refusal(409, "name_taken", "name", "`name` is taken; choose another");
        }
        if (owners.put(made.id(), row.tokenId()) == null) {
            requests.made(row.getId(), made.id());
        }
    }

    /** Ends what a daemon that died had begun. */
    private void cutOff(LaunchRequestRow row) {
        var failure = new Problem(
                503, "interrupted", null, "hydra's daemon ended during this launch; launch it again under a new key");
        end(feed(row.tokenId()), row, "failed", body("failed", row).set("error", JSON.valueToTree(failure)));
        // Apart: its backend may be long in coming.
        Thread.ofPlatform().daemon().name("launch undo").start(() -> {
            try {
                if (instances.names().contains(row.name()) && isOf(instances.find(row.name()), row)) {
                    Request.of(Actor.user(System.getProperty("user.name")))
                            .run(() -> instances.delete(Operation.silent(), row.name(), true));
                }
            } catch (HydraException e) {
                log.warn("what is left of the launch `{}` could not be removed: {}", row.name(), e.text());
            }
        });
    }

    /** Whether it is what this launch was making. Before its first stage that is not on record. */
    private static boolean isOf(Instance instance, LaunchRequestRow row) {
        return row.instanceId() != null
                ? instance.id().equals(row.instanceId())
                : instance.state() == State.CREATING && !instance.created().isBefore(row.created());
    }

    /** Tells the stages of a launch. */
    private final class Teller implements Operation.Listener {
        private final Feed feed;
        private final LaunchRequestRow row;
        private boolean owned;
        private long lastProgress;

        Teller(Feed feed, LaunchRequestRow row) {
            this.feed = feed;
            this.row = row;
        }

        @Override
        public void started(String stage) {
            if (!owned) {
                own(row);
                owned = true;
            }
            tell(stage, "started", null);
        }

        @Override
        public void finished(String stage, Duration elapsed) {
            tell(stage, "finished", elapsed);
        }

        @Override
        public void failed(String stage, Duration elapsed, String why) {
            tell(stage, "failed", elapsed);
        }

        private void tell(String stage, String state, @Nullable Duration elapsed) {
            var body = body("stage", row).put("stage", PlainText.safe(stage)).put("state", state);
            if (elapsed != null) {
                body.put("elapsed_ms", elapsed.toMillis());
            }
            feed.append(row.getId(), body);
        }

        @Override
        public void progress(String stage, long done, long total, String unit) {
            if (System.nanoTime() - lastProgress > BETWEEN_PROGRESS.toNanos()) {
                lastProgress = System.nanoTime();
                var body = body("progress", row)
                        .put("stage", PlainText.safe(stage))
                        .put("done", done)
                        .put("unit", unit);
                if (total >= 0) {
                    body.put("total", total);
                }
                feed.mention(row.getId(), body);
            }
        }

        @Override
        public void progress(String stage, List<Operation.Part> parts) {
            progress(
                    stage,
                    parts.stream().mapToLong(Operation.Part::done).sum(),
                    parts.stream().mapToLong(p -> Math.max(0, p.total())).sum(),
                    parts.isEmpty() ? "bytes" : parts.getFirst().unit());
        }

        @Override
        public void notice(String line) {
            feed.append(row.getId(), body("notice", row).put("message", PlainText.safe(line)));
        }
    }

    private static ObjectNode body(String type, LaunchRequestRow row) {
        return JSON.createObjectNode()
                .put("type", type)
                .put("event", 0)
                .put("launch", row.getId().toString())
                .put("key", row.idempotencyKey())
                .put("name", row.name());
    }

    /**
     * Has a running launch stop and undo what it did; it ends in {@code failed}.
     *
     * @throws Refusal 404 when the token launched nothing under this key; 409 when that has ended
     */
    public void cancel(Token token, String key) {
        var row = requests.findByTokenIdAndIdempotencyKey(token.id(), key)
                .orElseThrow(
                        () -> new Refusal(404, "not_found", "key", "this token launched nothing under this `key`"));
        var now = running.get(row.getId());
        if (now == null) {
            throw new Refusal(409, "not_running", "key", "this launch has ended");
        }
        now.cancelled = true;
        now.thread.interrupt();
    }

    /** What the token launched and is still there, by name. */
    public List<View> list(Token token) {
        return instances.list().stream()
                .filter(i -> token.id().equals(owners.get(i.id())))
                .map(View::of)
                .toList();
    }

    /** @throws Refusal 404 when there is none of this name, or it is another's */
    public View show(Token token, String name) {
        return View.of(find(token, name));
    }

    private Instance find(Token token, String name) {
        if (instances.names().contains(name)) {
            var found = instances.find(name);
            if (token.id().equals(owners.get(found.id()))) {
                return found;
            }
        }
        throw new Refusal(404, "not_found", "name", "there is no instance `" + PlainText.shorten(name) + "`");
    }

    /** As {@link InstanceService#stop}, on a thread of its own; {@code done} is told null or why it failed. */
    public void stop(
            Token token, String name, Duration limit, boolean force, Gate gate, Consumer<@Nullable Refusal> done) {
        find(token, name);
        apart(gate, done, () -> instances.stop(Operation.silent(), name, limit, force));
    }

    /** As {@link InstanceService#delete}, on a thread of its own; {@code done} is told null or why it failed. */
    public void delete(Token token, String name, boolean force, Gate gate, Consumer<@Nullable Refusal> done) {
        find(token, name);
        apart(gate, done, () -> instances.delete(Operation.silent(), name, force));
    }

    private static void apart(Gate gate, Consumer<@Nullable Refusal> done, Runnable work) {
        var release = gate.operation();
        var request = Request.current();
        // A platform thread: it may wait in native code, which would hold a virtual thread's carrier.
        Thread.ofPlatform().daemon().name("launch operation").start(() -> {
            Refusal failure = null;
            try {
                request.run(work);
            } catch (HydraException e) {
                failure = Refusal.of(e);
            } catch (RuntimeException e) {
                failure = Refusal.of(defect(e));
            } finally {
                release.run();
            }
            done.accept(failure);
        });
    }

    /** The launches that run now. */
    public int running() {
        return running.size();
    }

    /** What is no fault of who asked and nothing they can mend: the log alone says more. */
    public static Refusal defect(RuntimeException e) {
        log.error("a request failed by a defect of hydra", e);
        return new Refusal(503, "internal", null, "this is a defect of hydra; its log says more");
    }

    private void changed(PayloadApplicationEvent<InstanceChanged> event) {
        var change = event.getPayload();
        var owner = owners.get(change.id());
        if (owner == null) {
            return;
        }
        try {
            teller.execute(() -> tell(owner, change));
        } catch (RejectedExecutionException e) {
            // This process ends.
        }
    }

    private void tell(String owner, InstanceChanged change) {
        try {
            var deleted = change.change() == InstanceChanged.Change.DELETED;
            var body = JSON.createObjectNode()
                    .put("type", "changed")
                    .put("event", 0)
                    .put("name", change.name())
                    .put(
                            "change",
                            deleted
                                    ? "deleted"
                                    : change.change() == InstanceChanged.Change.CREATED ? "created" : "state");
            if (!deleted) {
                var now = instances.find(change.name());
                if (!now.id().equals(change.id())) {
                    return;
                }
                body.set("instance", JSON.valueToTree(View.of(now)));
            }
            feed(owner).append(null, body);
        } catch (HydraException e) {
            log.debug("a change of `{}` could not be told: {}", change.name(), e.text());
        } catch (RuntimeException e) {
            if (!ending) {
                log.error("a change of `{}` could not be told", change.name(), e);
            }
        }
    }

    /** Launches that run are undone: they end in {@code failed}. */
    @PreDestroy
    void end() {
        ending = true;
        context.removeApplicationListener(listener);
        teller.shutdown();
        var threads = Set.copyOf(running.values());
        threads.forEach(r -> r.thread.interrupt());
        var deadline = System.nanoTime() + LAST_MOMENTS.toNanos();
        for (var r : threads) {
            try {
                r.thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private Feed feed(String token) {
        return feeds.computeIfAbsent(token, t -> new Feed(t, events));
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    private static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }
}
