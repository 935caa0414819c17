package dev.hydravisor.workspace;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.host.ShortName;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.InstanceChanged;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.inventory.AttachmentRow;
import dev.hydravisor.inventory.Attachments;
import dev.hydravisor.inventory.InstanceRow;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.inventory.WorkspaceRow;
import dev.hydravisor.inventory.Workspaces;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.recording.Begin;
import dev.hydravisor.recording.DialogEntry;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.workspace.Workspace.State;
import dev.hydravisor.workspace.tmux.Pane;
import dev.hydravisor.workspace.tmux.Tmux;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Service;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * Opens instances as tmux sessions, a shell pane beside a dialog pane for each attached model, and has them recorded. tmux is
 * the truth about what is open; what it says is read anew each time, so a restart of this process changes nothing.
 */
@Service
public class WorkspaceService {
    /** How long a guest may take to offer a login before its console is taken instead. */
    private static final Duration SHELL_LIMIT = Duration.ofSeconds(60);

    private static final Duration BETWEEN_RECORDERS = Duration.ofSeconds(10);
    private static final Logger log = LoggerFactory.getLogger(WorkspaceService.class);

    private final HydraHome home;
    private final InstanceService instances;
    private final Instances instanceRows;
    private final Attachments attachments;
    private final Workspaces workspaces;
    private final RecordingService recordings;
    private final Models models;
    private final Tmux tmux;
    private final PaneWatch watch;
    private final ApplicationEventPublisher events;
    private final Guard guard;

    // Between beginning a recording and making its pane, and the like, nobody else may look or change.
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Size> sizes = new HashMap<>();
    private final Map<String, Instant> restarted = new HashMap<>();
    private final Set<String> identified = ConcurrentHashMap.newKeySet();
    private boolean looked;

    WorkspaceService(
            HydraHome home,
            InstanceService instances,
            Instances instanceRows,
            Attachments attachments,
            Workspaces workspaces,
            RecordingService recordings,
            Models models,
            Tmux tmux,
            ApplicationEventPublisher events,
            Guard guard) {
        this.models = models;
        this.home = home;
        this.instances = instances;
        this.instanceRows = instanceRows;
        this.attachments = attachments;
        this.workspaces = workspaces;
        this.recordings = recordings;
        this.tmux = tmux;
        this.events = events;
        this.guard = guard;
        this.watch = new PaneWatch(tmux, this::look);
    }

    /**
     * Makes and starts an instance, attaches the model, opens the workspace and begins its recording; what a failure or a cancel
     * leaves half done is undone. Asking again for what is there already does what is left.
     */
    public Workspace launch(Operation operation, Launch launch) {
        var model = launch.model() == null ? null : models.named(launch.model());
        tmux.panes(); // without tmux nothing need be begun
        return operation.call(() -> {
            instances.create(operation, launch.name(), launch.spec());
            if (model != null) {
                attachModel(operation, launch.name(), model.toString(), launch.environment());
            }
            return open(operation, launch.name(), launch.size(), launch.user(), launch.record());
        });
    }

    /** As {@link #open(Operation, String, Size, String, boolean)}, recorded unless it was opened unrecorded before. */
    public Workspace open(Operation operation, String instance, Size size, String user) {
        var id = instances.find(instance).id();
        var recorded = workspaces.findById(id).map(WorkspaceRow::recorded).orElse(true);
        return open(operation, instance, size, user, recorded);
    }

    /**
     * Opens a workspace, or makes whole one that is open: starts what ended in its panes, adds the panes that are missing.
     *
     * @param size of a new session, until a client attaches
     * @param user who asks, for the recording
     * @param record whether a new session is recorded; one that is there stays as it is
     * @throws HydraException NOT_FOUND when there is no such instance; CONFLICT when a session of an earlier one has its name
     */
    public Workspace open(Operation operation, String instance, Size size, String user, boolean record) {
        var found = instances.find(instance);
        return guard.act(
                operation,
                action("open", instance),
                () -> operation.stage("opening workspace", () -> {
                    var before = panes(found.id());
                    // Outside the lock: a guest may take its time to offer a login.
                    var program =
                            shell(before).isPresent() && before.stream().noneMatch(p -> p.isTerminal() && p.dead())
                                    ? null
                                    : instances.shellCommand(instance, SHELL_LIMIT);
                    locked(() -> {
                        requireNoOrphan(found);
                        var now = panes(found.id());
                        if (now.isEmpty()) {
                            begin(operation, found, size, user, record, Objects.requireNonNull(program));
                        } else if (program != null) {
                            restartShells(now, program);
                        }
                        attachments.findByInstanceIdOrderByAttached(found.id()).forEach(a -> showDialog(found.id(), a));
                        showNames(found.id());
                        return null;
                    });
                    watch.wake();
                    return find(instance);
                }));
    }

    /** The argv by which a client shows an open workspace on its own terminal. */
    public List<String> attachCommand(String instance) {
        var session = requireSession(instance);
        return guard.act(action("enter", instance), () -> tmux.attach(session));
    }

    /** As {@link #attachCommand}, to watch: what is typed there reaches nothing. */
    public List<String> watchCommand(String instance) {
        var session = requireSession(instance);
        return guard.act(action("enter", instance), () -> tmux.watch(session));
    }

    private String requireSession(String instance) {
        var session = find(instance).session();
        if (session == null) {
            throw HydraException.notFound(
                    "`" + instance + "` has no open workspace; `hydra workspace open " + instance + "` opens it");
        }
        return session;
    }

    /** Arranges the panes of an open workspace; what runs in them goes on. */
    public void arrange(String instance, Layout layout) {
        var shell = requireShell(find(instance));
        tmux.arrange(shell, layout.tmux);
    }

    /**
     * Opens a shell more beside the first, recorded if that is, in a recording of its own.
     *
     * @param user who asks, for the recording
     * @return its role, such as {@code shell-2}
     * @throws HydraException NOT_FOUND when the workspace is not open
     */
    public String split(String instance, String user) {
        var about = instances.find(instance);
        requireShell(find(instance));
        return guard.act(action("open", instance), () -> {
            var program = instances.shellCommand(instance, SHELL_LIMIT);
            return locked(() -> {
                var panes = panes(about.id());
                var shell = shell(panes)
                        .orElseThrow(() -> HydraException.conflict("`" + instance + "` was closed meanwhile"));
                var number = 2;
                while (hasRole(panes, Pane.FURTHER_SHELL + number)) {
                    number++;
                }
                var role = Pane.FURTHER_SHELL + number;
                var recording = shell.recording() == null || shell.paused()
                        ? null
                        : recordings.begin(about(about, new Size(shell.columns(), shell.rows() / 2), user, role));
                var beside = panes.stream().filter(Pane::isTerminal).reduce(shell, (_, last) -> last);
                try {
                    tmux.split(
                            beside,
                            List.of("-v"),
                            Map.of(),
                            identity(about.id(), instance, role, recording == null ? null : recording.id(), null),
                            recording == null ? List.of() : recordings.relayCommand(recording),
                            active(panes),
                            program);
                } catch (HydraException e) {
                    if (recording != null) {
                        end(recording.id(), "could not be opened");
                    }
                    throw e;
                }
                keepRecorder();
                watch.wake();
                return role;
            });
        });
    }

    private static boolean hasRole(List<Pane> panes, String role) {
        return panes.stream().anyMatch(p -> p.role().equals(role));
    }

    /**
     * Gives a workspace a name of the user's own, by which it is found as well.
     *
     * @param called null for none
     * @throws HydraException CONFLICT when an instance or another workspace is called so
     */
    public void rename(String instance, @Nullable String called) {
        var workspace = find(instance);
        if (called != null) {
            ShortName.check(called, "a workspace");
            var taken = list().stream()
                    .anyMatch(w -> !w.instance().equals(workspace.instance()) && called.equals(w.called()));
            if (taken || instanceRows.findByName(called).isPresent()) {
                throw HydraException.conflict("`" + called + "` is the name of another "
                        + (taken ? "workspace" : "instance") + "; choose another name");
            }
        }
        guard.act(
                action("rename", instance),
                () -> locked(() -> {
                    workspaces
                            .findById(workspace.instance())
                            .ifPresent(row -> workspaces.save(new WorkspaceRow(
                                    row.instanceId(), row.recorded(), row.recording(), row.opened(), called)));
                    showNames(workspace.instance());
                    return null;
                }));
    }

    /** The name of the instance whose workspace a user means: by that name, or by the workspace's own. */
    public String named(String typed) {
        return instanceRows.findByName(typed).isPresent()
                ? typed
                : workspaces.findAll().stream()
                        .filter(row -> typed.equals(row.called()))
                        .flatMap(row -> instanceRows.findById(row.instanceId()).stream())
                        .map(InstanceRow::name)
                        .findFirst()
                        .orElse(typed);
    }

    /**
     * Types a line into the shell, for the user; it stands in the recording.
     *
     * @throws HydraException USAGE for control characters; CONFLICT while a model has the shell
     */
    public void send(String instance, String text) {
        if (text.isBlank() || text.chars().anyMatch(Character::isISOControl)) {
            throw HydraException.usage("give one line of text without control characters (tab, newline, escape)");
        }
        var shell = requireShell(find(instance));
        var writer = tmux.format(shell, "#{@writer}");
        if (!writer.isEmpty() && !writer.equals("user")) {
            throw HydraException.conflict("`" + writer + "` has the shell of `" + instance
                    + "`; wait for its end, or type /take in its dialog");
        }
        if (shell.dead()) {
            throw HydraException.conflict("the shell of `" + instance + "` has ended; `hydra workspace open " + instance
                    + "` starts it again");
        }
        guard.act(action("send", instance), () -> {
            if (shell.recording() != null && !shell.paused()) {
                recordings.mark(shell.recording(), "input", "user", text, Map.of());
            }
            tmux.type(shell, text);
        });
    }

    /** The text on the shell's screen, a line a row, without control characters. */
    public String screen(String instance) {
        return tmux.screen(requireShell(find(instance)));
    }

    /**
     * Records an open workspace from now on; where it is recorded already nothing changes.
     *
     * @param user who asks
     * @return the recording's id
     */
    public String startRecording(String instance, String user) {
        var workspace = find(instance);
        var about = instances.find(instance);
        return guard.act(
                recording("start", instance),
                () -> locked(() -> {
                    var shell = requireShell(workspace);
                    if (shell.recording() != null) {
                        return shell.recording();
                    }
                    var recording = recordings.begin(about(about, size(shell), user, shell.role()));
                    saveRecording(workspace, recording.id());
                    for (var pane : panes(workspace.instance())) {
                        if (pane.isShell()) {
                            tmux.record(pane, recording.id(), recordings.relayCommand(recording));
                        } else if (pane.isTerminal()) {
                            var own = recordings.begin(about(about, size(pane), user, pane.role()));
                            tmux.record(pane, own.id(), recordings.relayCommand(own));
                        } else {
                            tmux.record(pane, recording.id(), List.of());
                        }
                    }
                    keepRecorder();
                    return recording.id();
                }));
    }

    /**
     * Ends the recording of an open workspace, which goes on unrecorded.
     *
     * @return the recording's id
     * @throws HydraException CONFLICT when it is not recorded
     */
    public String stopRecording(String instance) {
        var workspace = find(instance);
        return guard.act(
                recording("stop", instance),
                () -> locked(() -> {
                    var recording = requireRecording(requireShell(workspace));
                    var panes = panes(workspace.instance());
                    panes.forEach(tmux::unrecord);
                    saveRecording(workspace, null);
                    recordingsOf(panes).forEach(id -> end(id, "stopped by user"));
                    return recording;
                }));
    }

    /**
     * Has nothing recorded of an open workspace until {@link #resumeRecording}; the recording stays the same.
     *
     * @return the recording's id
     * @throws HydraException CONFLICT when it is not recorded, or paused already
     */
    public String pauseRecording(String instance) {
        var workspace = find(instance);
        return guard.act(
                recording("pause", instance),
                () -> locked(() -> {
                    var shell = requireShell(workspace);
                    var recording = requireRecording(shell);
                    if (shell.paused()) {
                        throw HydraException.conflict("the recording of `" + instance
                                + "` is paused already; `hydra recording resume " + instance + "` goes on with it");
                    }
                    for (var pane : terminals(workspace)) {
                        tmux.pause(pane);
                        recordings.mark(
                                requireRecording(pane),
                                RecordingService.PAUSE,
                                "user",
                                "the recording is paused",
                                Map.of());
                    }
                    return recording;
                }));
    }

    /**
     * Goes on with a paused recording.
     *
     * @return the recording's id
     * @throws HydraException CONFLICT when it is not paused
     */
    public String resumeRecording(String instance) {
        var workspace = find(instance);
        return guard.act(
                recording("resume", instance),
                () -> locked(() -> {
                    var shell = requireShell(workspace);
                    var recording = requireRecording(shell);
                    if (!shell.paused()) {
                        throw HydraException.conflict("the recording of `" + instance + "` is not paused");
                    }
                    for (var pane : terminals(workspace)) {
                        var paused = unended(requireRecording(pane)).orElseThrow(() -> notRecorded(pane));
                        recordings.mark(paused.id(), "resume", "user", "the recording goes on", Map.of());
                        tmux.record(pane, paused.id(), recordings.relayCommand(paused));
                    }
                    keepRecorder();
                    return recording;
                }));
    }

    /** The shells of a workspace that are recorded. */
    private List<Pane> terminals(Workspace workspace) {
        return panes(workspace.instance()).stream()
                .filter(p -> p.isTerminal() && p.recording() != null)
                .toList();
    }

    private static Set<String> recordingsOf(List<Pane> panes) {
        return panes.stream().map(Pane::recording).filter(Objects::nonNull).collect(Collectors.toSet());
    }

    private static Size size(Pane pane) {
        return new Size(pane.columns(), pane.rows());
    }

    private static String requireRecording(Pane shell) {
        var recording = shell.recording();
        if (recording == null) {
            throw notRecorded(shell);
        }
        return recording;
    }

    private static HydraException notRecorded(Pane shell) {
        return HydraException.conflict(
                "`" + shell.name() + "` is not recorded; `hydra recording start " + shell.name() + "` begins that");
    }

    private void saveRecording(Workspace workspace, @Nullable String recording) {
        workspaces.save(new WorkspaceRow(
                workspace.instance(), recording != null, recording, workspace.created(), workspace.called()));
    }

    private Pane requireShell(Workspace workspace) {
        return shell(panes(workspace.instance()))
                .orElseThrow(() -> HydraException.conflict("`" + workspace.name()
                        + "` has no shell; `hydra workspace open " + workspace.name() + "` brings it back"));
    }

    private Begin about(Instance instance, Size size, String user, String role) {
        var kind = instance.kind().name().toLowerCase(Locale.ROOT);
        return new Begin(
                instance.name(),
                instance.id().toString(),
                kind,
                instance.spec().image(),
                imageDigest(instance.name()),
                user,
                size.columns(),
                size.rows(),
                kind + " " + instance.name() + (role.equals(Pane.SHELL) ? "" : " " + role));
    }

    /** Without it a recording is better than none. */
    private String imageDigest(String instance) {
        try {
            return instances.imageDigest(instance);
        } catch (HydraException e) {
            log.warn("the image of `{}` is not known: {}", instance, e.text());
            return "";
        }
    }

    /** A workspace that ended without being closed, as by a reboot, shows what stood there before. */
    private List<String> withHistory(UUID instance, List<String> program) {
        var before = workspaces.findById(instance).map(WorkspaceRow::recording).orElse(null);
        if (before == null) {
            return program;
        }
        try {
            var argv = new ArrayList<>(List.of(
                    "sh",
                    "-c",
                    "gzip -dcf \"$0\" | tail -n 200; printf '\\033[2m[until here from %s]\\033[0m\\n' \"$1\"; shift; exec \"$@\"",
                    recordings.terminalLog(before).toString(),
                    before));
            argv.addAll(program.size() > 1 ? program : List.of("sh", "-c", "exec \"$0\"", program.getFirst()));
            return argv;
        } catch (HydraException e) {
            return program; // deleted
        }
    }

    /**
     * Closes a workspace: its programs end, its recording is complete. The instance and its models stay.
     *
     * @throws HydraException NOT_FOUND when it has none
     */
    public void close(Operation operation, String instance) {
        var workspace = find(instance);
        guard.<@Nullable Void>act(operation, action("close", instance), () -> {
            operation.stage("closing workspace", () -> close(workspace.instance(), "closed by user"));
            return null;
        });
    }

    /** All workspaces by name: those that are open, and those that were when tmux ended. */
    public List<Workspace> list() {
        var panes = tmux.panes();
        var rows = workspaces.findAll();
        var bySession = panes.orElse(List.of()).stream()
                .collect(Collectors.groupingBy(Pane::instance, LinkedHashMap::new, Collectors.toList()));
        var names = instanceRows.findAll().stream().collect(Collectors.toMap(InstanceRow::getId, InstanceRow::name));
        var models = attachments.findAll().stream()
                .sorted(Comparator.comparing(AttachmentRow::attached))
                .collect(Collectors.groupingBy(
                        AttachmentRow::instanceId, Collectors.mapping(AttachmentRow::model, Collectors.toList())));
        var all = new ArrayList<Workspace>();
        var called = new HashMap<UUID, String>();
        rows.stream().filter(r -> r.called() != null).forEach(r -> called.put(r.instanceId(), r.called()));
        bySession.forEach(
                (id, of) -> all.add(opened(id, names.get(id), called.get(id), of, models.getOrDefault(id, List.of()))));
        for (var row : rows) {
            var name = names.get(row.instanceId());
            if (name != null && !bySession.containsKey(row.instanceId())) {
                all.add(new Workspace(
                        name,
                        row.called(),
                        row.instanceId(),
                        State.ENDED,
                        (panes.isEmpty() ? "the tmux server ended" : "its tmux session ended")
                                + "; `hydra workspace open " + name + "` opens it anew",
                        null,
                        List.of(),
                        models.getOrDefault(row.instanceId(), List.of()),
                        row.recording(),
                        row.opened(),
                        0));
            }
        }
        all.sort(Comparator.comparing(Workspace::name));
        return all;
    }

    /** @throws HydraException NOT_FOUND when it was never opened, or is closed */
    public Workspace find(String instance) {
        return list().stream()
                .filter(w -> w.name().equals(instance))
                .findFirst()
                .orElseThrow(() -> {
                    var shown = PlainText.shorten(instance);
                    return HydraException.notFound(
                            instanceRows.findByName(instance).isPresent()
                                    ? "`" + shown + "` has no open workspace; `hydra workspace open " + shown
                                            + "` opens it"
                                    : "there is no instance `" + shown + "`; `hydra list` shows what there is");
                });
    }

    /**
     * Attaches a model to an instance; where its workspace is open a dialog pane opens beside the shell. One that is attached
     * already takes the new environment.
     *
     * @param model as {@link Models#named} takes it
     * @param environment where it is reached, as {@code model.Endpoint} picks it from the caller's environment
     */
    public void attachModel(Operation operation, String instance, String model, Map<String, String> environment) {
        var name = models.named(model).toString();
        var row = row(instance);
        guard.<@Nullable Void>act(
                operation,
                attaching(instance, name),
                () -> operation.stage("attaching model", () -> {
                    var known = attachments
                            .findByInstanceIdAndModel(row.getId(), name)
                            .orElse(null);
                    if (known == null) {
                        operation.onFailure("model `" + name + "`", () -> detach(row.getId(), name));
                    }
                    var attachment = attachments.save(new AttachmentRow(
                            known == null ? UUID.randomUUID() : known.id(),
                            row.getId(),
                            name,
                            JsonMapper.shared().writeValueAsString(environment),
                            known == null ? now() : known.attached()));
                    locked(() -> {
                        showDialog(row.getId(), attachment);
                        showNames(row.getId());
                        return null;
                    });
                    return null;
                }));
    }

    /**
     * What is about to be done to the workspace of an instance, for the policy.
     *
     * @param verb such as {@code open}
     */
    public static Action action(String verb, String instance) {
        return Action.on("workspace." + verb, instance);
    }

    /** As {@link #action}, to attach a model. */
    public static Action attaching(String instance, String model) {
        return Action.on("model.attach", instance).subject(model);
    }

    /** As {@link #action}, to detach a model. */
    public static Action detaching(String instance, String model) {
        return Action.on("model.detach", instance).subject(model);
    }

    /**
     * As {@link #action}, to begin or end its recording.
     *
     * @param verb {@code start} or {@code stop}
     */
    public static Action recording(String verb, String instance) {
        return Action.on("recording." + verb, instance);
    }

    /**
     * Detaches a model from an instance and closes its dialog pane; what was said is kept.
     *
     * @param model {@code provider:id}; null for the only one
     * @return the model detached
     * @throws HydraException NOT_FOUND when it is not attached; USAGE when there are several and none is named
     */
    public String detachModel(String instance, @Nullable String model) {
        var row = row(instance);
        var attached = attachments.findByInstanceIdOrderByAttached(row.getId()).stream()
                .map(AttachmentRow::model)
                .toList();
        var name = model == null
                ? (attached.size() == 1 ? attached.getFirst() : null)
                : attached.contains("preset:" + model)
                        ? "preset:" + model
                        : ModelRef.parse(model).toString();
        if (name == null && attached.size() > 1) {
            throw HydraException.usage(
                    "`" + instance + "` has several models; name one of " + String.join(", ", attached));
        }
        if (name == null || !attached.contains(name)) {
            throw HydraException.notFound(
                    (name == null ? "no model" : "`" + name + "`") + " is attached to `" + instance + "`"
                            + (attached.isEmpty()
                                    ? "; `hydra model attach` attaches one"
                                    : "; there is " + String.join(", ", attached)));
        }
        guard.act(detaching(instance, name), () -> detach(row.getId(), name));
        return name;
    }

    /** The panes whose recorder has stopped, as {@code instance} names. */
    List<String> unrecorded() {
        return tmux.panes().orElse(List.of()).stream()
                .filter(p -> p.isTerminal() && p.recording() != null && !p.recorded() && !p.paused())
                .map(Pane::name)
                .distinct()
                .toList();
    }

    @EventListener
    void ready(org.springframework.boot.context.event.ApplicationReadyEvent event) {
        watch.start();
    }

    @jakarta.annotation.PreDestroy
    void stop() {
        watch.stop();
    }

    @EventListener
    void changed(InstanceChanged event) {
        if (event.change() == InstanceChanged.Change.DELETED) {
            try {
                close(event.id(), "instance deleted");
            } catch (HydraException e) {
                log.warn("the workspace of `{}`, which is deleted, could not be closed: {}", event.name(), e.text());
            }
        }
    }

    @EventListener
    void said(DialogTurn turn) {
        if (turn.role() == DialogTurn.Role.TOOL) {
            return; // each call left its marks while it was done
        }
        instanceRows
                .findByName(turn.dialogId())
                .flatMap(i -> workspaces.findById(i.getId()))
                .map(WorkspaceRow::recording)
                .filter(id -> !isPaused(id))
                .ifPresent(id -> {
                    var model = turn.model() == null ? null : turn.model().toString();
                    var data = new LinkedHashMap<String, Object>();
                    data.put("finish", turn.finish().name().toLowerCase(Locale.ROOT));
                    if (turn.preset() != null) {
                        data.put("preset", turn.preset());
                    }
                    if (turn.identity() != null) {
                        data.put("identity", turn.identity());
                        if (identified.add(id + " " + model + " " + turn.identity())) {
                            recordings.identify(id, String.valueOf(model), turn.identity());
                        }
                    }
                    recordings.dialog(
                            id,
                            new DialogEntry(
                                    "message",
                                    turn.role().name().toLowerCase(Locale.ROOT),
                                    model,
                                    turn.content(),
                                    data));
                });
    }

    private boolean isPaused(String recording) {
        return tmux.panes().orElse(List.of()).stream().anyMatch(p -> p.paused() && recording.equals(p.recording()));
    }

    private boolean look() {
        var server = reconcile();
        events.publishEvent(new WorkspacesChanged());
        return server;
    }

    /**
     * Makes records agree with what tmux says now: passes on sizes, starts recorders that stopped, ends recordings whose session is
     * gone.
     *
     * @return false when there is no tmux server
     */
    private boolean reconcile() {
        return locked(() -> {
            var panes = tmux.panes();
            var shells = new HashMap<String, Pane>();
            var known = new HashSet<String>();
            for (var pane : panes.orElse(List.of())) {
                if (pane.recording() != null) {
                    known.add(pane.recording());
                    if (pane.isTerminal()) {
                        shells.put(pane.recording(), pane);
                    }
                }
            }
            recordings(known).forEach(r -> end(r.id(), panes.isEmpty() ? "tmux server ended" : "tmux session ended"));
            // A further shell's pane may go while its session stays.
            Set.copyOf(sizes.keySet()).stream()
                    .filter(id -> !known.contains(id))
                    .forEach(id -> end(id, "pane closed"));
            looked = true;
            if (shells.entrySet().stream().anyMatch(e -> !e.getValue().paused() && !recordings.capturing(e.getKey()))) {
                keepRecorder();
            }
            shells.forEach(this::follow);
            if (recordings.stopsOnFailure()) {
                shells.forEach(this::stopWhereItFails);
            }
            return panes.isPresent();
        });
    }

    /** The recordings nobody ended, but those of these ids: of the open workspaces, and the first time of all there ever were. */
    private List<Recording> recordings(Set<String> except) {
        if (!looked) {
            return recordings.list().stream()
                    .filter(r -> r.state() != Recording.State.ENDED && !except.contains(r.id()))
                    .toList();
        }
        return workspaces.findAll().stream()
                .map(WorkspaceRow::recording)
                .filter(id -> id != null && !except.contains(id))
                .map(this::unended)
                .flatMap(Optional::stream)
                .toList();
    }

    private void follow(String recording, Pane pane) {
        var size = new Size(pane.columns(), pane.rows());
        var resized = !size.equals(sizes.get(recording));
        var piped = pane.piped() || pane.paused() || restartedLately(recording);
        if (!resized && piped) {
            return;
        }
        unended(recording).ifPresent(r -> {
            if (resized) {
                recordings.resized(recording, pane.columns(), pane.rows());
                sizes.put(recording, size);
            }
            if (!piped) {
                log.warn("nothing records `{}`; starting its recorder again", pane.name());
                restarted.put(recording, Instant.now());
                tmux.record(pane, recording, recordings.relayCommand(r));
            }
        });
    }

    /** By the setting {@code recording.on-failure: stop}, what is not recorded must not go on. */
    private void stopWhereItFails(String recording, Pane pane) {
        var complaints = recordings.complaints(recording);
        if (!complaints.isEmpty() || !pane.paused() && !pane.piped()) {
            log.error(
                    "the workspace of `{}` is closed, for it is not recorded: {}",
                    pane.name(),
                    complaints.isEmpty() ? "the recorder stopped" : complaints.getLast());
            close(pane.instance(), "not recorded: the recorder failed");
        }
    }

    private void keepRecorder() {
        tmux.keepRecorder(recordings.recorderLock(), recordings.recorderCommand());
    }

    /** A recorder that cannot work at all must not be started for ever. */
    private boolean restartedLately(String recording) {
        var last = restarted.get(recording);
        return last != null && last.plus(BETWEEN_RECORDERS).isAfter(Instant.now());
    }

    private Optional<Recording> unended(String id) {
        try {
            return Optional.of(recordings.find(id)).filter(r -> r.state() != Recording.State.ENDED);
        } catch (HydraException e) {
            return Optional.empty(); // deleted
        }
    }

    private void end(String recording, String reason) {
        sizes.remove(recording);
        restarted.remove(recording);
        identified.removeIf(i -> i.startsWith(recording + " "));
        recordings.end(recording, reason);
    }

    private void begin(
            Operation operation, Instance instance, Size size, String user, boolean record, List<String> program) {
        var recording = record ? recordings.begin(about(instance, size, user, Pane.SHELL)) : null;
        var id = recording == null ? null : recording.id();
        operation.onFailure(
                "workspace of `" + instance.name() + "`", () -> close(instance.id(), "could not be opened"));
        try {
            var shown = withHistory(instance.id(), program);
            var called =
                    workspaces.findById(instance.id()).map(WorkspaceRow::called).orElse(null);
            workspaces.save(new WorkspaceRow(instance.id(), record, id, now(), called));
            tmux.newSession(
                    instance.name(),
                    size.columns(),
                    size.rows(),
                    Map.of("HYDRA_HOME", home.root().toString()),
                    identity(instance.id(), instance.name(), Pane.SHELL, id, null),
                    recording == null ? List.of() : recordings.relayCommand(recording),
                    shown);
            if (recording != null) {
                keepRecorder();
            }
        } catch (HydraException e) {
            if (id != null) {
                end(id, "could not be opened");
            }
            workspaces.deleteById(instance.id());
            throw e;
        }
    }

    private void restartShells(List<Pane> panes, List<String> program) {
        // The recorder reads on: the pane is the same.
        panes.stream().filter(p -> p.isTerminal() && p.dead()).forEach(p -> tmux.respawn(p, Map.of(), program));
        if (shell(panes).isPresent()) {
            return;
        }
        var beside = panes.getFirst();
        var recording = workspaces
                .findById(beside.instance())
                .map(WorkspaceRow::recording)
                .flatMap(this::unended)
                .orElse(null);
        tmux.split(
                beside,
                List.of("-h", "-b", "-l", "60%"),
                Map.of(),
                identity(beside.instance(), beside.name(), Pane.SHELL, recording == null ? null : recording.id(), null),
                recording == null ? List.of() : recordings.relayCommand(recording),
                active(panes),
                program);
    }

    /** Makes the dialog pane of a model, where the workspace is open and has none; starts it again where it ended. */
    private void showDialog(UUID instance, AttachmentRow attachment) {
        var panes = panes(instance);
        if (panes.isEmpty()) {
            return;
        }
        var name = panes.getFirst().name();
        var program = List.of(
                System.getProperty("hydra.launcher", "hydra"),
                "--reconnect",
                "model",
                "chat",
                attachment.model(),
                "--workspace",
                name);
        var environment = new HashMap<>(
                JsonMapper.shared().readValue(attachment.endpoint(), new TypeReference<Map<String, String>>() {}));
        environment.put("HYDRA_HOME", home.root().toString());
        var known = dialog(panes, attachment.model());
        if (known.isPresent()) {
            if (known.get().dead()) {
                tmux.respawn(known.get(), environment, program);
            }
            return;
        }
        var last = panes.stream().filter(p -> !p.isTerminal()).reduce((first, second) -> second);
        var shell = shell(panes).orElse(panes.getFirst());
        tmux.split(
                last.orElse(shell),
                last.isPresent() ? List.of("-v") : List.of("-f", "-h", "-l", "40%"),
                environment,
                identity(instance, name, Pane.DIALOG, shell.recording(), attachment.model()),
                List.of(),
                active(panes),
                program);
    }

    /** Has the frame say the models and the workspace's own name. */
    private void showNames(UUID instance) {
        panes(instance).stream().map(Pane::session).findFirst().ifPresent(session -> {
            tmux.setSession(
                    session,
                    "@models",
                    attachments.findByInstanceIdOrderByAttached(instance).stream()
                            .map(AttachmentRow::model)
                            .collect(Collectors.joining(", ")));
            tmux.setSession(
                    session,
                    "@called",
                    workspaces.findById(instance).map(WorkspaceRow::called).orElse(""));
        });
    }

    private void detach(UUID instance, String model) {
        locked(() -> {
            attachments.findByInstanceIdAndModel(instance, model).ifPresent(attachments::delete);
            dialog(panes(instance), model).ifPresent(tmux::killPane);
            showNames(instance);
            return null;
        });
    }

    private void close(UUID instance, String reason) {
        locked(() -> {
            var panes = panes(instance);
            var ids = recordingsOf(panes);
            workspaces.findById(instance).map(WorkspaceRow::recording).ifPresent(ids::add);
            panes.stream().map(Pane::session).distinct().forEach(tmux::killSession);
            ids.stream().filter(id -> unended(id).isPresent()).forEach(id -> end(id, reason));
            workspaces.findById(instance).ifPresent(workspaces::delete);
            return null;
        });
    }

    private Workspace opened(
            UUID id, @Nullable String name, @Nullable String called, List<Pane> panes, List<String> models) {
        var first = shell(panes)
                .or(() -> panes.stream().filter(p -> !p.isTerminal()).findFirst())
                .orElse(panes.getFirst());
        return new Workspace(
                name == null ? first.name() : name,
                called,
                id,
                name == null ? State.ORPHANED : State.OPEN,
                name == null ? "its instance is no more; `hydra workspace close " + first.name() + "` ends it" : null,
                first.session(),
                panes.stream()
                        .map(p -> new Workspace.Pane(
                                p.role(),
                                p.model(),
                                p.dead() && p.ended() == null ? "unknown" : p.ended(),
                                p.isTerminal() ? p.recorded() : p.recording() != null,
                                p.columns(),
                                p.rows()))
                        .toList(),
                models,
                first.recording(),
                first.created(),
                first.attached());
    }

    private void requireNoOrphan(Instance instance) {
        var other = tmux.panes().orElse(List.of()).stream()
                .anyMatch(p -> p.name().equals(instance.name()) && !p.instance().equals(instance.id()));
        if (other) {
            throw HydraException.conflict("the workspace of an earlier `" + instance.name()
                    + "` is still open; close it with `hydra workspace close " + instance.name() + "`");
        }
    }

    private InstanceRow row(String instance) {
        return instanceRows
                .findByName(instance)
                .orElseThrow(() -> HydraException.notFound("there is no instance `" + PlainText.shorten(instance)
                        + "`; `hydra list` shows what there is"));
    }

    private List<Pane> panes(UUID instance) {
        return tmux.panes().orElse(List.of()).stream()
                .filter(p -> p.instance().equals(instance))
                .toList();
    }

    private static Optional<Pane> shell(List<Pane> panes) {
        return panes.stream().filter(Pane::isShell).findFirst();
    }

    private static Optional<Pane> dialog(List<Pane> panes, String model) {
        return panes.stream()
                .filter(p -> !p.isTerminal() && model.equals(p.model()))
                .findFirst();
    }

    private static String active(List<Pane> panes) {
        return panes.stream()
                .filter(Pane::active)
                .findFirst()
                .orElse(panes.getFirst())
                .id();
    }

    private static Map<String, String> identity(
            UUID instance, String name, String role, @Nullable String recording, @Nullable String model) {
        var options = new LinkedHashMap<String, String>();
        options.put("@instance", instance.toString());
        options.put("@name", name);
        options.put("@role", role);
        if (recording != null) {
            options.put("@recording", recording);
        }
        if (model != null) {
            options.put("@model", model);
        }
        return options;
    }

    private static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }

    private <T extends @Nullable Object> T locked(Supplier<T> work) {
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }
}
