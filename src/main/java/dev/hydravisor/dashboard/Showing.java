package dev.hydravisor.dashboard;

import com.googlecode.lanterna.input.KeyType;
import com.googlecode.lanterna.input.MouseAction;
import com.googlecode.lanterna.input.MouseActionType;
import dev.hydravisor.dashboard.Dashboard.Services;
import dev.hydravisor.dashboard.Known.Details;
import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.workspace.Launch;
import dev.hydravisor.workspace.Size;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jline.terminal.Terminal;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One open dashboard. Its own thread takes keys and news in turn and draws; whatever may take time is asked by workers, whose answers come
 * back as news. So nothing that hangs holds a key up, and where nothing is new nothing is drawn.
 */
final class Showing implements Deeds {
    private static final Logger log = LoggerFactory.getLogger(Showing.class);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(60);
    private static final Duration SHELL_LIMIT = Duration.ofSeconds(60);
    private static final long SOON_MILLIS = 150;
    private static final int TURNS = 12;
    /** As `hydra container create` has it. */
    private static final long PIDS = 4096;

    /** Whose details are wanted, and whether its workspace is open. */
    private record Asked(String instance, boolean open) {}

    private final Dashboard dashboard;
    private final Services services;
    private final Viewer viewer;
    private final Known known = new Known();
    private final Ui ui;
    private final Painter painter;
    private final Screen screen;
    private final Endpoint endpoint;
    private final Clock clock = Clock.systemUTC();
    private final BlockingQueue<Runnable> news = new LinkedBlockingQueue<>();
    private final ExecutorService workers = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("dashboard ", 0).factory());
    private final Map<View, Reader> readers = new EnumMap<>(View.class);
    private final Reader details = new Reader(workers, this::readDetails);
    private final Reader findings = new Reader(workers, this::readFindings);
    private final Follower follower = new Follower(details::ask);
    private volatile List<String> images = List.of();
    private volatile Set<Kind> running = Set.of();
    private volatile boolean metered;
    private volatile Asked asked = new Asked("", false);
    private volatile @Nullable CountDownLatch anyKey;
    private @Nullable Job awaited;

    Showing(Dashboard dashboard, Services services, Viewer viewer, Keys keys, Theme theme) {
        this.dashboard = dashboard;
        this.services = services;
        this.viewer = viewer;
        this.endpoint = Endpoint.of(viewer::environment);
        screen = new Screen(viewer.terminal(), theme);
        ui = new Ui(known, keys, this, new Forms(known, () -> images), clock);
        painter = new Painter(ui, System.getProperty("user.name") + "@" + host());
        reader(View.INSTANCES, services.instances()::list, all -> known.instances = all);
        reader(View.WORKSPACES, services.workspaces()::list, all -> known.workspaces = all);
        reader(View.MODELS, () -> services.models().list(endpoint), all -> known.models = all);
        reader(View.IMAGES, () -> services.images().list(Operation.silent()), all -> known.images = all);
        reader(View.RECORDINGS, services.recordings()::list, all -> known.recordings = all);
    }

    /** Shows it until the viewer leaves, or is gone. */
    void show() {
        var terminal = viewer.terminal();
        var interrupt = terminal.handle(Terminal.Signal.INT, _ -> key("ctrl-c"));
        var resize = terminal.handle(Terminal.Signal.WINCH, _ -> news.add(() -> {}));
        viewer.enters();
        screen.enter();
        var keys = Thread.ofVirtual().name("dashboard keys").start(this::readKeys);
        try {
            news.add(() -> {
                known.events = dashboard.events();
                known.jobs = dashboard.jobs();
                ui.changed(View.EVENTS, View.JOBS);
            });
            readAll();
            while (!ui.left()) {
                draw();
                await();
            }
        } catch (InterruptedException e) {
            // The viewer is gone.
        } catch (HydraException e) {
            if (e.exitCode() != dev.hydravisor.operation.ExitCode.INTERRUPTED) {
                throw e;
            }
        } finally {
            terminal.handle(Terminal.Signal.INT, interrupt);
            terminal.handle(Terminal.Signal.WINCH, resize);
            keys.interrupt();
            follower.close();
            workers.shutdown();
            screen.leave();
        }
    }

    /** Takes in all the news there is, waiting for the first; or sees that a minute has passed. */
    private void await() throws InterruptedException {
        var now = clock.instant();
        var minute = now.truncatedTo(ChronoUnit.MINUTES).plus(1, ChronoUnit.MINUTES);
        var next = news.poll(Duration.between(now, minute).toMillis() + 1, TimeUnit.MILLISECONDS);
        if (next == null) {
            ui.tick();
            // Whatever was missed shows now at the latest.
            read(View.INSTANCES);
            read(ui.view());
            return;
        }
        for (var each = next; each != null && !ui.left(); each = news.poll()) {
            each.run();
        }
    }

    private void draw() {
        var frame = new Frame(
                Math.max(1, viewer.terminal().getWidth()),
                Math.max(1, viewer.terminal().getHeight()));
        painter.draw(frame);
        screen.draw(frame);
    }

    private void readKeys() {
        try {
            while (true) {
                var stroke = screen.readInput();
                if (stroke.getKeyType() == KeyType.EOF) {
                    news.add(ui::leave);
                    return;
                }
                if (stroke instanceof MouseAction mouse) {
                    mouse(mouse);
                    continue;
                }
                var name = Keys.name(stroke);
                if (!name.isEmpty()) {
                    key(name);
                }
            }
        } catch (IOException e) {
            log.debug("no more keys: {}", e.toString());
        }
    }

    private void key(String name) {
        var waiting = anyKey;
        if (waiting != null) {
            waiting.countDown();
        } else {
            news.add(() -> ui.key(name));
        }
    }

    private void mouse(MouseAction mouse) {
        var at = mouse.getPosition();
        news.add(() -> ui.mouse(
                mouse.getActionType() == MouseActionType.CLICK_DOWN ? painter.rowAt(at.getColumn(), at.getRow()) : -1,
                switch (mouse.getActionType()) {
                    case SCROLL_UP -> -1;
                    case SCROLL_DOWN -> 1;
                    default -> 0;
                }));
    }

    // What is heard of others, on their threads.

    void instancesChanged() {
        read(View.INSTANCES);
    }

    void workspacesChanged() {
        read(View.WORKSPACES);
        if (known.heard.contains(View.RECORDINGS)) {
            read(View.RECORDINGS);
        }
        details.ask();
    }

    void said(String dialog) {
        if (dialog.equals(asked.instance())) {
            details.ask();
        }
    }

    void jobsChanged() {
        news.add(() -> {
            known.jobs = dashboard.jobs();
            ui.changed(View.JOBS);
        });
    }

    /** The kinds of which something runs. */
    Set<Kind> running() {
        return running;
    }

    void metered(Map<UUID, Meters.Reading> readings) {
        if (!readings.isEmpty() || metered) {
            metered = !readings.isEmpty();
            news.add(() -> {
                known.readings = readings;
                ui.changed(View.INSTANCES);
            });
        }
    }

    void eventsChanged() {
        news.add(() -> {
            known.events = dashboard.events();
            ui.changed(View.EVENTS);
        });
    }

    void allChanged() {
        for (var view : readers.keySet()) {
            if (view != View.MODELS) {
                read(view);
            }
        }
    }

    // What is asked, on workers.

    private <T> void reader(View view, Supplier<T> question, Consumer<T> answer) {
        readers.put(view, new Reader(workers, () -> {
            try {
                var heard = question.get();
                news.add(() -> {
                    answer.accept(heard);
                    known.errors.remove(view);
                    heard(view);
                });
            } catch (RuntimeException e) {
                var text = e instanceof HydraException h ? h.text() : "this is a defect of hydra: " + e;
                news.add(() -> {
                    known.errors.put(view, text);
                    heard(view);
                });
            }
        }));
    }

    private void heard(View view) {
        known.heard.add(view);
        if (view == View.WORKSPACES) {
            ui.changed(View.INSTANCES, View.WORKSPACES);
            details(asked.instance());
        } else {
            ui.changed(view);
        }
        if (view == View.INSTANCES) {
            running = known.instances.stream()
                    .filter(i -> i.state() == State.RUNNING)
                    .map(Instance::kind)
                    .collect(Collectors.toSet());
            var absent = known.instances.stream().anyMatch(i -> i.state() == State.UNAVAILABLE);
            var told = known.findings.stream().anyMatch(f -> f.level() != dev.hydravisor.host.Check.Level.OK);
            if (absent != told && !known.findings.isEmpty()) {
                findings.ask();
            }
        }
    }

    private void readAll() {
        readers.values().forEach(Reader::ask);
        findings.ask();
        workers.execute(() -> images = Dashboard.quietly(services.disks()::available));
    }

    @Override
    public void read(View view) {
        var reader = readers.get(view);
        if (reader != null) {
            reader.ask();
        }
    }

    private void readFindings() {
        var found = services.checks().parallelStream()
                .flatMap(c -> c.findings().stream())
                .toList();
        news.add(() -> known.findings = found);
    }

    @Override
    public void details(String instance) {
        asked = new Asked(
                instance, known.workspaces.stream().anyMatch(w -> w.name().equals(instance) && w.session() != null));
        follower.follow(known.workspaces.stream()
                .filter(w -> w.name().equals(instance))
                .map(w -> w.recording())
                .filter(Objects::nonNull)
                .findFirst()
                .map(r -> services.home().logs().resolve(r))
                .orElse(null));
        details.ask();
    }

    private void readDetails() {
        var about = asked;
        var name = about.instance();
        if (name.isEmpty()) {
            news.add(() -> known.details = Details.NONE);
            return;
        }
        try {
            var turns = services.dialogs().history(name);
            var read = new Details(
                    name,
                    about.open()
                            ? services.workspaces()
                                    .screen(name)
                                    .stripTrailing()
                                    .lines()
                                    .toList()
                            : List.of(),
                    List.copyOf(turns.subList(Math.max(0, turns.size() - TURNS), turns.size())));
            news.add(() -> known.details = read);
        } catch (HydraException e) {
            log.debug("no details of `{}`: {}", name, e.text());
            news.add(() -> known.details = new Details(name, List.of(), List.of()));
        }
    }

    // What is done.

    @Override
    public void open(String instance) {
        handOver(instance, "open the workspace of " + instance, operation -> {
            services.workspaces().open(operation, instance, size(), user());
            return services.workspaces().attachCommand(instance);
        });
    }

    @Override
    public void shell(String instance) {
        handOver(
                instance,
                "reach a shell in " + instance,
                operation -> operation.stage(
                        "waiting for a login", () -> services.instances().shellCommand(instance, SHELL_LIMIT)));
    }

    @Override
    public void console(String instance) {
        handOver(
                instance,
                "reach the console of " + instance,
                _ -> services.instances().consoleCommand(instance));
    }

    @Override
    public void replay(String recording) {
        handOver(recording, "replay " + recording, _ -> {
            var found = services.recordings().find(recording);
            return List.of(
                    System.getProperty("hydra.launcher", "hydra"),
                    "recording",
                    "replay",
                    found.id(),
                    "--idle-limit",
                    "1s");
        });
    }

    @Override
    public void start(String instance) {
        quietJob(instance, "start " + instance, o -> services.instances().start(o, instance));
    }

    @Override
    public void stop(String instance) {
        quietJob(instance, "stop " + instance, o -> services.instances().stop(o, instance, STOP_LIMIT, false));
    }

    @Override
    public void pause(String instance) {
        quietJob(instance, "pause " + instance, o -> services.instances().pause(o, instance));
    }

    @Override
    public void resume(String instance) {
        quietJob(instance, "resume " + instance, o -> services.instances().resume(o, instance));
    }

    @Override
    public void record(String workspace, boolean on) {
        quietJob(workspace, (on ? "record " : "stop recording ") + workspace, _ -> {
            if (on) {
                services.workspaces().startRecording(workspace, user());
            } else {
                services.workspaces().stopRecording(workspace);
            }
        });
    }

    @Override
    public void close(String workspace) {
        quietJob(
                workspace,
                "close the workspace of " + workspace,
                o -> services.workspaces().close(o, workspace));
    }

    @Override
    public void delete(View view, String name) {
        switch (view) {
            case INSTANCES ->
                quietJob(name, "delete " + name, o -> services.instances().delete(o, name, true));
            case IMAGES ->
                quietJob(name, "delete image " + name, o -> services.images().delete(o, name));
            case RECORDINGS ->
                quietJob(
                        name,
                        "delete recording " + name,
                        _ -> services.recordings().delete(name));
            default -> throw new IllegalArgumentException("nothing of " + view + " can be deleted");
        }
    }

    @Override
    public void attach(String instance, String model) {
        quietJob(
                instance,
                "attach " + model + " to " + instance,
                o -> services.workspaces().attachModel(o, instance, model, endpoint.environment()));
    }

    @Override
    public void detach(String instance, String model) {
        quietJob(
                instance,
                "detach " + model + " from " + instance,
                _ -> services.workspaces().detachModel(instance, model));
    }

    @Override
    public void plan(Form form) {
        var values = form.values();
        var request = Request.current();
        workers.execute(() -> request.run(() -> {
            List<String> lines = new ArrayList<>();
            String error = null;
            try {
                lines.addAll(services.instances().plan(value(values, "name"), spec(values)));
                var model = value(values, "model");
                if (!model.isEmpty()) {
                    lines.add("attach `" + model + "`");
                }
                lines.add("open its workspace" + (value(values, "record").equals("yes") ? ", recorded" : ""));
            } catch (HydraException e) {
                error = e.text();
            }
            var why = error;
            news.add(() -> form.planned(why == null ? lines : List.of(), why));
        }));
    }

    @Override
    public Job create(Map<String, String> values) {
        var name = value(values, "name");
        var model = value(values, "model");
        var launch = new Launch(
                name,
                spec(values),
                model.isEmpty() ? null : model,
                endpoint.environment(),
                size(),
                user(),
                value(values, "record").equals("yes"));
        var job = dashboard.start(
                name,
                "create " + name,
                o -> services.workspaces().launch(o, launch),
                done -> news.add(() -> {
                    if (done.state() == Job.State.DONE && watched(done)) {
                        open(name);
                    }
                }));
        return job;
    }

    @Override
    public void copy(String text) {
        screen.copy(text);
    }

    @Override
    public void redraw() {
        screen.forget();
        readAll();
    }

    private InstanceSpec spec(Map<String, String> values) {
        return values.containsKey("command") ? container(values) : vm(values);
    }

    private static ContainerSpec container(Map<String, String> values) {
        var cpus = value(values, "cpus");
        var memory = value(values, "memory");
        var command = value(values, "command");
        return new ContainerSpec(
                value(values, "image"),
                cpus.isEmpty() ? 0 : Double.parseDouble(cpus),
                memory.isEmpty() ? 0 : Mebibytes.of("", memory),
                PIDS,
                List.of(),
                List.of(),
                List.of(),
                ContainerSpec.Network.valueOf(value(values, "network").toUpperCase(Locale.ROOT)),
                null,
                null,
                null,
                false,
                ContainerSpec.Restart.NO,
                command.isEmpty() ? List.of() : List.of(command.split(" +", -1)));
    }

    private VmSpec vm(Map<String, String> values) {
        var image = value(values, "image");
        var disk = value(values, "disk");
        return new VmSpec(
                image.contains("/") ? viewer.path(image).toString() : image,
                Integer.parseInt(value(values, "cpus")),
                Mebibytes.of("", value(values, "memory")),
                disk.isEmpty() ? 0 : Mebibytes.gibibytes("", disk),
                value(values, "user"),
                null,
                value(values, "network"));
    }

    private static String value(Map<String, String> values, String field) {
        return values.getOrDefault(field, "");
    }

    private void quietJob(String subject, String title, Consumer<Operation> work) {
        dashboard.start(subject, title, work, done -> news.add(() -> tell(done)));
        ui.say(title + " …", Role.DIM);
    }

    private void tell(Job done) {
        var error = done.error();
        ui.say(error == null ? done.title() + ": done" : error, error == null ? Role.GOOD : Role.BAD);
    }

    private interface Program {
        List<String> argv(Operation operation);
    }

    /** Finds out how a program is run, however long that takes, and gives it the terminal; unless the user no longer waits for it. */
    private void handOver(String subject, String title, Program program) {
        var argv = new CompletableFuture<List<String>>();
        var job = dashboard.start(
                subject,
                title,
                o -> argv.complete(program.argv(o)),
                done -> news.add(() -> {
                    var wanted = awaited == done && (!(ui.over() instanceof Watch) || watched(done));
                    if (awaited == done) {
                        awaited = null;
                    }
                    if (done.state() == Job.State.FAILED && !watched(done)) {
                        tell(done);
                    } else if (done.state() == Job.State.DONE && wanted) {
                        if (watched(done)) {
                            ui.uncover();
                        }
                        give(argv.join(), title.startsWith("replay"));
                    }
                }));
        awaited = job;
        CompletableFuture.delayedExecutor(SOON_MILLIS, TimeUnit.MILLISECONDS, news::add)
                .execute(() -> {
                    if (awaited == job && job.state() == Job.State.RUNNING) {
                        ui.show(new Watch(job));
                    }
                });
    }

    private boolean watched(Job job) {
        return ui.over() instanceof Watch watch && watch.job() == job;
    }

    private void give(List<String> argv, boolean staysOnScreen) {
        screen.pause();
        int status;
        try {
            status = viewer.run(argv);
            if (staysOnScreen) {
                waitForKey();
            }
        } finally {
            screen.resume();
        }
        if (status != 0) {
            ui.say("`" + argv.getFirst() + "` ended with status " + status, Role.BAD);
        }
        allChanged();
    }

    private void waitForKey() {
        var key = new CountDownLatch(1);
        anyKey = key;
        try {
            screen.say("the recording ends here; press a key");
            key.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            anyKey = null;
        }
    }

    private Size size() {
        return new Size(viewer.terminal().getWidth(), viewer.terminal().getHeight());
    }

    private static String user() {
        return System.getProperty("user.name");
    }

    /** The kernel knows it at once, where a resolver might ask around. */
    private static String host() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            return "localhost";
        }
    }
}
