package dev.hydravisor.dashboard;

import dev.hydravisor.audit.Audit;
import dev.hydravisor.audit.Entry;
import dev.hydravisor.dashboard.Known.Happened;
import dev.hydravisor.host.Check;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.image.ImageService;
import dev.hydravisor.instance.InstanceChanged;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Usage;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.Dialogs;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.workspace.WorkspaceService;
import dev.hydravisor.workspace.WorkspacesChanged;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.PayloadApplicationEvent;
import org.springframework.stereotype.Service;

/**
 * All dashboards of this daemon: they share what happened and what is being done, which goes on when they are left. Events are listened to
 * from the first time one is opened.
 */
@Service
public class Dashboard {
    private static final Logger log = LoggerFactory.getLogger(Dashboard.class);
    private static final int REMEMBERED = 500;
    // The first two soon, so that there is something to see; then as calm as top.
    private static final Duration FIRST_LOOK = Duration.ofMillis(700);
    private static final Duration LOOKS = Duration.ofSeconds(3);

    /** The services a dashboard shows. */
    record Services(
            InstanceService instances,
            WorkspaceService workspaces,
            Models models,
            Dialogs dialogs,
            AllImages images,
            ImageService disks,
            RecordingService recordings,
            List<Check> checks,
            HydraHome home) {}

    /** What config.yaml says under {@code dashboard}. */
    record Settings(
            @DefaultValue("dark") String theme,
            @DefaultValue Map<String, Map<String, String>> themes,
            @DefaultValue Map<String, List<String>> keys) {}

    private final Services services;
    private final Audit audit;
    private final ConfigurableApplicationContext context;
    private final Set<Showing> showings = ConcurrentHashMap.newKeySet();
    private final Deque<Happened> events = new ArrayDeque<>();
    private final Deque<Job> jobs = new ArrayDeque<>();
    private boolean listening;
    private boolean metering;
    private int jobIds;

    Dashboard(
            InstanceService instances,
            WorkspaceService workspaces,
            Models models,
            Dialogs dialogs,
            AllImages images,
            ImageService disks,
            RecordingService recordings,
            List<Check> checks,
            HydraHome home,
            Audit audit,
            ConfigurableApplicationContext context) {
        services = new Services(instances, workspaces, models, dialogs, images, disks, recordings, checks, home);
        this.audit = audit;
        this.context = context;
    }

    /**
     * Shows a dashboard until its viewer leaves.
     *
     * @throws HydraException USAGE for keys or a theme in config.yaml that are none
     */
    public void open(Viewer viewer) {
        var settings = Binder.get(context.getEnvironment()).bindOrCreate("dashboard", Settings.class);
        var theme = new Theme(
                settings.theme(),
                settings.themes(),
                Theme.depth(
                        viewer.environment("TERM"), viewer.environment("COLORTERM"), viewer.environment("NO_COLOR")));
        var showing = new Showing(this, services, viewer, new Keys(settings.keys()), theme);
        listen();
        showings.add(showing);
        meter();
        try {
            showing.show();
        } finally {
            showings.remove(showing);
        }
    }

    /** Looks at what instances use for as long as a dashboard is open. */
    private synchronized void meter() {
        if (metering) {
            return;
        }
        metering = true;
        Thread.ofPlatform().daemon().name("dashboard meters").start(() -> {
            var meters = new Meters();
            for (int look = 1; ; look++) {
                var usages = new HashMap<UUID, Usage>();
                showings.stream()
                        .flatMap(s -> s.running().stream())
                        .distinct()
                        .forEach(kind -> usages.putAll(services.instances().usage(kind)));
                var readings = meters.take(usages, System.nanoTime());
                showings.forEach(s -> s.metered(readings));
                try {
                    Thread.sleep(look < 3 ? FIRST_LOOK : LOOKS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                synchronized (this) {
                    if (showings.isEmpty() || Thread.currentThread().isInterrupted()) {
                        metering = false;
                        return;
                    }
                }
            }
        });
    }

    synchronized List<Happened> events() {
        return List.copyOf(events);
    }

    /** The jobs there were, the newest first. */
    synchronized List<Job> jobs() {
        return List.copyOf(jobs);
    }

    /**
     * Does something in the background; it goes on when whoever asked has left.
     *
     * @param subject the name of what it is done to
     * @param ended told when it has ended, well or not
     */
    Job start(String subject, String title, Consumer<Operation> work, Consumer<Job> ended) {
        var asked = Request.current();
        var request = Request.of(asked.actor(), asked.folder());
        Job job;
        synchronized (this) {
            job = new Job("" + ++jobIds, subject, title, () -> showings.forEach(Showing::jobsChanged));
            jobs.addFirst(job);
            if (jobs.size() > REMEMBERED) {
                jobs.removeLast();
            }
        }
        var worker = Thread.ofPlatform()
                .daemon()
                .name("job " + job.id())
                .unstarted(() -> request.run(() -> run(job, work, ended)));
        job.runBy(worker);
        worker.start();
        return job;
    }

    private void run(Job job, Consumer<Operation> work, Consumer<Job> ended) {
        String error = null;
        try {
            work.accept(new Operation(job));
        } catch (HydraException e) {
            error = e.text();
        } catch (RuntimeException e) {
            log.error("`{}` failed", job.title(), e);
            error = "this is a defect of hydra: " + e + "; see `hydra daemon logs`";
        }
        job.ended(error);
        showings.forEach(Showing::allChanged);
        ended.accept(job);
    }

    private void happened(Happened event) {
        synchronized (this) {
            events.addLast(event);
            if (events.size() > REMEMBERED) {
                events.removeFirst();
            }
        }
        showings.forEach(Showing::eventsChanged);
    }

    private synchronized void listen() {
        if (!listening) {
            context.addApplicationListener(new Events());
            Thread.ofPlatform().daemon().name("dashboard audit").start(this::followAudit);
            listening = true;
        }
    }

    /** What was done and refused, of late and from now on, whoever did it. */
    private void followAudit() {
        try {
            var past = audit.last(REMEMBERED);
            past.forEach(this::audited);
            audit.follow(past.isEmpty() ? 0 : past.getLast().number(), this::audited);
        } catch (InterruptedException e) {
            // The daemon ends.
        }
    }

    private void audited(Entry entry) {
        if (!entry.outcome().equals("begun")) {
            happened(new Happened(
                    Instant.parse(entry.time()),
                    PlainText.safe(entry.target()),
                    PlainText.safe(entry.action() + " by " + entry.actor() + ": " + entry.outcome()
                            + (entry.reason().isEmpty() ? "" : ": " + entry.reason())),
                    switch (entry.outcome()) {
                        case "done" -> Role.GOOD;
                        case "approved" -> Role.TEXT;
                        default -> Role.BAD;
                    }));
        }
    }

    // A class, for Spring reads from it what it listens to.
    private final class Events implements ApplicationListener<PayloadApplicationEvent<?>> {
        @Override
        public void onApplicationEvent(PayloadApplicationEvent<?> event) {
            switch (event.getPayload()) {
                case InstanceChanged changed -> {
                    happened(new Happened(
                            Instant.now(),
                            changed.name(),
                            switch (changed.change()) {
                                case CREATED -> "created";
                                case STATE -> "changed its state";
                                case DELETED -> "deleted";
                            },
                            Role.DIM));
                    showings.forEach(Showing::instancesChanged);
                }
                case WorkspacesChanged _ -> showings.forEach(Showing::workspacesChanged);
                case DialogTurn turn -> {
                    happened(new Happened(
                            Instant.now(),
                            turn.dialogId(),
                            (turn.role() == DialogTurn.Role.USER ? "asked " : "answered by ")
                                    + (turn.model() == null ? "a model" : turn.model()),
                            Role.DIM));
                    showings.forEach(s -> s.said(turn.dialogId()));
                }
                default -> {}
            }
        }
    }

    /** Names for a list; empty where nobody answers. */
    static List<String> quietly(java.util.function.Supplier<List<String>> names) {
        try {
            return names.get();
        } catch (HydraException e) {
            return new ArrayList<>();
        }
    }
}
