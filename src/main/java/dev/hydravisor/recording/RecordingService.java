package dev.hydravisor.recording;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.recorder.Chain;
import dev.hydravisor.recorder.Recorder;
import dev.hydravisor.recorder.Rule;
import dev.hydravisor.recorder.Rules;
import dev.hydravisor.recording.Archive.DialogLine;
import dev.hydravisor.recording.Archive.Meta;
import dk.brics.automaton.RunAutomaton;
import jakarta.annotation.PostConstruct;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Service;
import tools.jackson.core.JacksonException;

/**
 * Recordings: one folder each under {@code $HYDRA_HOME/logs}, which is the whole truth about it. The terminal's bytes are written by
 * a recorder of their own process that tmux starts, so a recording goes on while this daemon is dead.
 */
@Service
@EnableConfigurationProperties(RecordingProperties.class)
public class RecordingService {
    private static final Logger log = LoggerFactory.getLogger(RecordingService.class);
    private static final String PREFIX = "session-";
    /** The kind of the entry after which nothing is recorded for a while, on request. */
    public static final String PAUSE = "pause";

    private static final String LEDGER = "LEDGER";
    private static final DateTimeFormatter STAMP =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssX").withZone(ZoneOffset.UTC);

    /**
     * Fills the named pipe that the recorder reads. It holds the pipe open, so that what waits in it outlives a recorder, and stays until
     * the recorder has read all and removed it. {@code cat} alone touches the bytes.
     */
    private static final String RELAY = "trap '' HUP INT TERM; p=$1/$2.$$ t=$1/.$2.$$; "
            + "mkfifo -m 600 \"$t\" && exec 3<>\"$t\" 4<\"$t\" && mv \"$t\" \"$p\" || exit 1; "
            + "until cat >&3 3>&- 4<&-; do sleep 1; done; exec 3>&-; while [ -p \"$p\" ]; do sleep 1; done";

    private final HydraHome home;
    private final RecordingProperties properties;
    private final Guard guard;
    private final Signer signer;
    private final Map<String, Chain> manifests = new ConcurrentHashMap<>();
    private volatile Rules rules = new Rules(List.of());
    /** The last number given out in the dialog of each recording; its lock too. */
    private final Map<String, long[]> dialogs = new ConcurrentHashMap<>();

    @Autowired
    RecordingService(HydraHome home, RecordingProperties properties, Guard guard) {
        this.home = home;
        this.guard = guard;
        this.properties = properties;
        this.signer = new Signer(home.root().resolve("keys"));
    }

    RecordingService(HydraHome home, Guard guard) {
        this(
                home,
                new RecordingProperties(
                        RecordingProperties.OnFailure.WARN, Duration.ZERO, new RecordingProperties.Redact(List.of())),
                guard);
    }

    /** Makes the rules known to the recorder, and brings in order what ended while no daemon ran. */
    @PostConstruct
    void start() {
        writeRules();
        var ended = ended();
        for (var archive : archives()) {
            try {
                // What the ledger knows to have ended is not touched: mending would cover up what was changed since.
                if (!ended.contains(archive.folder().getFileName().toString())) {
                    mend(archive);
                }
            } catch (IOException | HydraException e) {
                log.warn("{}: {}", archive.folder(), e.getMessage());
            }
        }
        if (properties.compressAfter().isPositive()) {
            Thread.ofVirtual().name("compress").start(this::compressOld);
        }
    }

    /** Brings a recording in order in the middle of whose writing a daemon, a recorder or the machine died. */
    private void mend(Archive archive) throws IOException {
        archive.repair(Archive.RESIZES);
        archive.repair(Archive.DIALOG);
        Verification.sealRest(archive, manifest(archive), 0, Archive.RESIZES, Archive.DIALOG);
        if (!archive.capturing()) {
            archive.repair(Archive.INDEX);
            refreshLog(archive);
        }
        var meta = metaOrGuess(archive);
        var last = manifest(archive).lastLine();
        if (meta.end() != null && last != null) {
            if (last.endsWith(" end")) {
                conclude(archive, manifest(archive).read().last());
            } else {
                close(archive, ChronoUnit.MICROS.between(meta.start(), meta.end()));
            }
        }
    }

    /** The recordings whose end the ledger knows. */
    private Set<String> ended() {
        try {
            return ledger().read().lines().stream()
                    .map(l -> l.split(" ", -1))
                    .filter(w -> w.length > 1 && w[1].equals("ended"))
                    .map(w -> w[0])
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw failed("cannot read the ledger", e);
        }
    }

    /** Makes the folder of a new recording. Nothing is captured until tmux runs {@link #recorderCommand}. */
    public Recording begin(Begin about) {
        var origin = Origin.now();
        @Nullable Archive archive = null;
        try {
            archive = makeFolder(origin.start());
            archive.write(new Meta(
                    Archive.FORMAT,
                    archive.folder().getFileName().toString(),
                    about.instance(),
                    about.instanceId(),
                    about.kind(),
                    about.image(),
                    about.imageDigest(),
                    about.user(),
                    about.user().startsWith("token:") ? "token" : "user",
                    hostName(),
                    rules.redact(about.title(), new TreeMap<>()),
                    about.cols(),
                    about.rows(),
                    origin.start().truncatedTo(ChronoUnit.MILLIS),
                    null,
                    null,
                    origin,
                    version(),
                    versions(),
                    null,
                    null,
                    null,
                    null));
            seal(archive, 0, Archive.META);
            return read(archive);
        } catch (IOException e) {
            if (archive != null) {
                discard(archive);
            }
            throw failed("cannot begin a recording in `" + home.logs() + "`", e);
        }
    }

    /**
     * An argv for {@code tmux pipe-pane -O}: hands what it reads on stdin to the recorder, until stdin ends. Nothing is lost while no
     * recorder runs: it waits.
     */
    public List<String> relayCommand(Recording recording) {
        return List.of(
                "sh",
                "-c",
                RELAY,
                "relay",
                pipes().toString(),
                archive(recording.id()).folder().getFileName().toString());
    }

    /**
     * The argv of the recorder, the one process that writes what terminals print, of all recordings. It ends with status 0 when there
     * has been nothing to record for some seconds; a second one at the same time must not be started.
     */
    public List<String> recorderCommand() {
        var jar = codeSource(Recorder.class);
        var small = jar.resolveSibling("runtime/bin/java");
        return List.of(
                "env",
                "MALLOC_ARENA_MAX=1",
                Files.isExecutable(small)
                        ? small.toString()
                        : Path.of(System.getProperty("java.home"), "bin", "java")
                                .toString(),
                "-Xlog:disable",
                "-Xlog:all=error:stderr",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                // C2 for the few loops that run over each byte, and nothing else; docs/decisions/0005-recorder.md
                "-XX:Tier4InvocationThreshold=50000",
                "-XX:Tier4MinInvocationThreshold=20000",
                "-XX:Tier4CompileThreshold=100000",
                "-XX:Tier4BackEdgeThreshold=2000000",
                "-XX:ReservedCodeCacheSize=16m",
                "-Xss256k",
                "-Xmx24m",
                "-cp",
                jar + ":" + codeSource(RunAutomaton.class),
                Recorder.class.getName(),
                pipes().toString(),
                home.logs().toString(),
                rulesFile().toString());
    }

    /** What is held locked while a recorder runs, by flock(1). */
    public Path recorderLock() {
        return home.run().resolve("recorder.lock");
    }

    /** True when a workspace must not go on where it cannot be recorded. */
    public boolean stopsOnFailure() {
        return properties.onFailure() == RecordingProperties.OnFailure.STOP;
    }

    /** The terminal has another size from now on. */
    public void resized(String id, int cols, int rows) {
        var archive = archive(id);
        try {
            synchronized (lock(archive)) {
                var micros = archive.meta().origin().elapsed();
                append(archive, micros, Archive.RESIZES, micros + " " + cols + "x" + rows);
            }
        } catch (IOException e) {
            throw failed("cannot write to the recording `" + id + "`", e);
        }
    }

    /** The file that the output of the terminal is appended to, byte by byte, as it comes. */
    public Path output(String id) {
        return archive(id).file(Archive.RAW);
    }

    /** Something happened beside the terminal. It is on the disk when this returns; a recording that has ended takes nothing more. */
    public void dialog(String id, DialogEntry entry) {
        var archive = archive(id);
        var last = lock(archive);
        try {
            synchronized (last) {
                var meta = archive.meta();
                if (meta.end() != null) {
                    return;
                }
                var origin = meta.origin();
                if (last[0] < 0) {
                    var line = archive.lastDialog();
                    last[0] = line == null ? 0 : line.seq();
                }
                var micros = origin.elapsed();
                var redacted = new TreeMap<String, Integer>();
                append(
                        archive,
                        micros,
                        Archive.DIALOG,
                        Archive.json(new DialogLine(
                                last[0] + 1,
                                micros / 1e6,
                                Instant.now().truncatedTo(ChronoUnit.MILLIS),
                                archive.bytes(),
                                entry.kind(),
                                entry.role(),
                                entry.model(),
                                rules.redact(entry.content(), redacted),
                                redact(entry.data(), redacted),
                                redacted)));
                last[0]++;
            }
        } catch (IOException e) {
            throw failed("cannot write to the recording `" + id + "`", e);
        }
    }

    /**
     * Something happened that is no turn of the dialog: a marker in the cast and a line of {@code dialog.jsonl}, on the disk when this
     * returns.
     *
     * @param kind {@code tool_call}, {@code approval}, {@code denial}, {@code checkpoint}, {@code handover}, {@code input}, {@code mark},
     *     or another in this style
     * @param role who caused it: {@code user}, {@code assistant}, {@code tool} or {@code system}
     * @param text what a person reads of it
     * @param attributes more about it, by kind, as JSON can hold it
     */
    public void mark(String id, String kind, String role, String text, Map<String, Object> attributes) {
        dialog(id, new DialogEntry(kind, role, null, text, attributes));
    }

    /**
     * Says what exactly a model is that takes part; it stands in {@code meta.json} at the end.
     *
     * @param identity a digest, or an ARN
     */
    public void identify(String id, String model, String identity) {
        dialog(
                id,
                new DialogEntry(
                        Archive.IDENTITY,
                        "system",
                        model,
                        "`" + model + "` is " + identity,
                        Map.of(Archive.IDENTITY, identity)));
    }

    /** What exactly each model was that took part, as far as its provider said. */
    public Map<String, String> models(String id) {
        try {
            return archive(id).modelIdentities();
        } catch (IOException e) {
            throw failed("cannot read the recording `" + id + "`", e);
        }
    }

    /**
     * The session is over: {@code meta.json} gets its end and {@code terminal.log} is written. A recording that stopped earlier ends
     * when it stopped. The second time it does nothing.
     */
    public void end(String id, String reason) {
        var archive = archive(id);
        try {
            synchronized (lock(archive)) {
                var meta = archive.meta();
                if (meta.end() != null) {
                    return;
                }
                archive.repair(Archive.RESIZES);
                archive.repair(Archive.DIALOG);
                // The pane may be gone a moment before its recorder has read all.
                for (int i = 0; i < 200 && (archive.capturing() || waiting(id)); i++) {
                    Thread.sleep(50);
                }
                var running = archive.capturing();
                if (!running) {
                    archive.repair(Archive.INDEX);
                }
                var micros = running ? meta.origin().elapsed() : archive.lastMicros();
                finish(archive, meta, micros, reason);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (IOException e) {
            throw failed("cannot end the recording `" + id + "`", e);
        }
    }

    /** All recordings, the newest first. */
    public List<Recording> list() {
        return archives().stream()
                .map(this::read)
                .sorted(Comparator.comparing(Recording::start)
                        .thenComparing(Recording::id)
                        .reversed())
                .toList();
    }

    /**
     * Finds a recording by its id, by the beginning of one (with or without {@code session-}), or the newest of an instance.
     *
     * @throws HydraException NOT_FOUND, or USAGE when several ids begin so
     */
    public Recording find(String idOrPrefixOrInstance) {
        var wanted = idOrPrefixOrInstance;
        var all = list();
        var ids = all.stream().filter(r -> r.id().equals(wanted)).toList();
        if (ids.isEmpty() && !wanted.isEmpty()) {
            ids = all.stream()
                    .filter(r -> r.id().startsWith(wanted) || r.id().startsWith(PREFIX + wanted))
                    .toList();
        }
        var ofInstance = all.stream().filter(r -> r.instance().equals(wanted)).findFirst();
        if (ids.size() == 1) {
            return ids.getFirst();
        }
        if (ofInstance.isPresent()) {
            return ofInstance.get();
        }
        if (ids.size() > 1) {
            throw HydraException.usage("`" + wanted + "` is the beginning of " + ids.size() + " recordings, such as `"
                    + ids.get(0).id() + "` and `" + ids.get(1).id() + "`; give more of it");
        }
        throw HydraException.notFound(
                "there is no recording `" + printable(wanted) + "`; `hydra recording list` shows what there is");
    }

    /** True while a recorder is at work for it. */
    public boolean capturing(String id) {
        return archive(id).capturing();
    }

    /** What the recorder had to complain of, a line each: the time in microseconds and the reason, such as a full disk. */
    public List<String> complaints(String id) {
        var file = archive(id).file(Archive.ERRORS);
        try {
            return Files.exists(file)
                    ? Files.readAllLines(file).stream()
                            .filter(l -> !l.isBlank())
                            .toList()
                    : List.of();
        } catch (IOException e) {
            throw failed("cannot read `" + file + "`", e);
        }
    }

    /**
     * The plain text of a recording, brought up to date: of one still running, up to now. Of one that was compressed it is compressed,
     * as {@code .gz} at its end says.
     */
    public Path terminalLog(String id) {
        var archive = archive(id);
        try {
            synchronized (lock(archive)) {
                return refreshLog(archive);
            }
        } catch (IOException e) {
            throw failed("cannot write the log of `" + id + "`", e);
        }
    }

    /**
     * Plays a recording to a terminal.
     *
     * @throws HydraException INTERRUPTED when this thread is interrupted
     */
    public void replay(String id, Replay.Options options, Writer terminal) throws IOException {
        Replay.play(archive(id), options, terminal, Replay.Keys.NONE);
    }

    /** As {@link #replay(String, Replay.Options, Writer)}, steered by keys: pause, seek, speed, step by marker. */
    public void replay(String id, Replay.Options options, Writer terminal, Replay.Keys keys) throws IOException {
        Replay.play(archive(id), options, terminal, keys);
    }

    /**
     * Shows what is being recorded as it is printed; what is typed meanwhile reaches no program.
     *
     * @throws HydraException INTERRUPTED when this thread is interrupted
     */
    public void follow(String id, Writer terminal, Replay.Keys keys) throws IOException {
        var archive = archive(id);
        Replay.follow(
                archive,
                terminal,
                keys,
                () -> archive.capturing() || metaOrGuess(archive).end() == null);
    }

    /**
     * Writes a recording as text, in any format that {@link Format#isText}. {@code out} is not closed.
     *
     * @throws HydraException INTERRUPTED when this thread is interrupted
     */
    public void export(String id, Format format, Writer out) throws IOException {
        write(archive(id), format, out);
    }

    /** Writes the terminal's bytes. */
    public void exportRaw(String id, OutputStream out) throws IOException {
        try (var raw = archive(id).open(Archive.RAW)) {
            raw.transferTo(out);
        }
    }

    /**
     * Writes a recording to a file, which is there whole or not at all.
     *
     * @throws HydraException CONFLICT when it exists and {@code force} is false
     */
    public void export(String id, Format format, Path file, boolean force) {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            if (!Files.isRegularFile(file)) {
                throw HydraException.conflict("`" + file + "` is no regular file; name another");
            }
            if (!force) {
                throw exists(file);
            }
        }
        var folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw HydraException.notFound("there is no folder `" + folder + "`; make it first");
        }
        @Nullable Path part = null;
        try {
            part = Files.createTempFile(folder, "." + file.getFileName(), ".part");
            if (format == Format.RAW) {
                try (var raw = archive(id).open(Archive.RAW)) {
                    Files.copy(raw, part, StandardCopyOption.REPLACE_EXISTING);
                }
            } else if (format == Format.TAR) {
                var source = archive(id).folder();
                Processes.require(
                        Duration.ofMinutes(10),
                        List.of(
                                "tar",
                                "-cf",
                                part.toString(),
                                "-C",
                                home.logs().toString(),
                                source.getFileName().toString()));
            } else {
                try (var out = Files.newBufferedWriter(part)) {
                    export(id, format, out);
                }
            }
            if (force) {
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } else {
                Files.move(part, file);
            }
            part = null;
        } catch (FileAlreadyExistsException e) {
            throw exists(file);
        } catch (IOException e) {
            throw failed("cannot write `" + file + "`", e);
        } finally {
            deleteIfThere(part);
        }
    }

    /**
     * Removes a recording for good.
     *
     * @throws HydraException CONFLICT while it is recorded
     */
    public void delete(String id) {
        var archive = archive(id);
        if (archive.capturing()) {
            throw HydraException.conflict("`" + id + "` is being recorded; close its workspace first");
        }
        guard.act(action("delete", id), () -> {
            try {
                synchronized (lock(archive)) {
                    ledger().append(List.of(archive.folder().getFileName() + " deleted"));
                    archive.delete();
                }
                dialogs.remove(id);
                manifests.remove(id);
            } catch (IOException e) {
                throw failed("cannot delete the recording `" + id + "`", e);
            }
        });
    }

    /**
     * What is about to be done to a recording, for the policy.
     *
     * @param verb such as {@code delete}
     */
    public static Action action(String verb, String id) {
        return Action.of("recording." + verb, id).subject(id);
    }

    private static void write(Archive archive, Format format, Writer out) throws IOException {
        try {
            switch (format) {
                case CAST -> Cast.v2(archive, metaOrGuess(archive), out);
                case CAST_V3 -> Cast.v3(archive, metaOrGuess(archive), out);
                case TXT -> ScreenText.write(archive, metaOrGuess(archive), out);
                case JSONL -> {
                    for (var line : archive.lines(Archive.DIALOG)) {
                        out.write(line + "\n");
                    }
                }
                case ANSI -> {
                    var filter = new Replay.Filter();
                    Events.read(archive, (_, code, data) -> out.write(code == 'o' ? filter.pass(data) : ""));
                    out.write(filter.restore());
                }
                case HTML -> Page.write(archive, metaOrGuess(archive), out);
                case SVG -> Svg.write(archive, metaOrGuess(archive), out);
                case RAW, TAR -> throw new IllegalArgumentException(format.word() + " is no text");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private static void writeCast(Archive archive) throws IOException {
        var next = archive.file(Archive.CAST + ".new");
        try (var out = Files.newBufferedWriter(next)) {
            write(archive, Format.CAST_V3, out);
        }
        Files.move(next, archive.file(Archive.CAST), StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * Looks for text in all recordings, the newest first, and gives each line that matches at once.
     *
     * @throws HydraException INTERRUPTED when this thread is interrupted
     */
    public void search(Search.Query query, Consumer<Search.Hit> found) {
        for (var recording : list()) {
            if (query.instance() != null && !query.instance().equals(recording.instance())
                    || query.since() != null
                            && recording.end() != null
                            && recording.end().isBefore(query.since())) {
                continue;
            }
            var archive = archive(recording.id());
            try {
                Search.run(archive, recording, metaOrGuess(archive), query, found);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw HydraException.interrupted();
            } catch (IOException | JacksonException e) {
                log.warn("{} cannot be searched: {}", recording.id(), e.getMessage());
            }
        }
    }

    /**
     * Takes in a foreign cast as a recording that has ended; its secrets are taken out.
     *
     * @param file asciicast 2 or 3
     * @throws HydraException USAGE when it is none
     */
    public Recording importCast(Path file, String user) {
        return guard.act(action("import", file.toString()), () -> importNew(file, user));
    }

    private Recording importNew(Path file, String user) {
        @Nullable Archive archive = null;
        try (var cast = Files.newBufferedReader(file)) {
            var first = cast.readLine();
            if (first == null) {
                throw HydraException.usage("`" + file + "` is empty");
            }
            var header = Rewrite.Header.read(first);
            var start = header.timestamp() > 0 ? Instant.ofEpochSecond(header.timestamp()) : Instant.now();
            archive = makeFolder(start);
            var asides = new ArrayList<Archive.Aside>();
            try (var to = new Rewrite(archive, rules, header.cols())) {
                to.take(header, cast, asides);
            }
            var origin = new Origin("", 0, ChronoUnit.MICROS.between(Instant.EPOCH, start));
            var id = archive.folder().getFileName().toString();
            var meta = new Meta(
                    Archive.FORMAT,
                    id,
                    "",
                    "",
                    "import",
                    "",
                    "",
                    user,
                    "user",
                    hostName(),
                    rules.redact(header.title(), new TreeMap<>()),
                    header.cols(),
                    header.rows(),
                    start.truncatedTo(ChronoUnit.MILLIS),
                    null,
                    null,
                    origin,
                    version(),
                    versions(),
                    null,
                    null,
                    null,
                    null);
            long seq = 0;
            for (var aside : asides) {
                if (aside.code() == 'r') {
                    archive.append(Archive.RESIZES, aside.micros() + " " + aside.data());
                } else {
                    var redacted = new TreeMap<String, Integer>();
                    archive.append(
                            Archive.DIALOG,
                            Archive.json(new DialogLine(
                                    ++seq,
                                    aside.micros() / 1e6,
                                    start.plus(aside.micros(), ChronoUnit.MICROS),
                                    0,
                                    "mark",
                                    "user",
                                    null,
                                    rules.redact(aside.data(), redacted),
                                    Map.of(),
                                    redacted)));
                }
            }
            archive.write(meta);
            finish(archive, meta, archive.lastMicros(), "imported");
            return read(archive);
        } catch (IOException | RuntimeException e) {
            if (archive != null) {
                discard(archive);
            }
            throw e instanceof IOException io ? failed("cannot import `" + file + "`", io) : (RuntimeException) e;
        }
    }

    private static void discard(Archive archive) {
        try {
            archive.delete();
        } catch (IOException e) {
            log.warn("cannot remove `{}`", archive.folder(), e);
        }
    }

    /**
     * Takes secrets out of an old recording by the rules of now. Its new manifest names the last digest of the old one.
     *
     * @return how many were taken out now, by rule
     * @throws HydraException CONFLICT while it is recorded
     */
    public Map<String, Integer> redact(String id) {
        return guard.act(action("redact", id), () -> redactNow(id));
    }

    private Map<String, Integer> redactNow(String id) {
        var archive = archive(id);
        requireUnchanged(archive, id);
        var next = new Archive(home.logs().resolve(".redact-" + id));
        try {
            synchronized (lock(archive)) {
                if (Files.exists(next.folder())) {
                    next.delete(); // a daemon died in the middle of it
                }
                Files.createDirectory(
                        next.folder(),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
                var meta = archive.meta();
                var before = archive.redactions();
                rewriteTerminal(archive, next, meta);
                for (var entry : archive.dialog()) {
                    var counts = new TreeMap<>(entry.redacted() == null ? Map.of() : entry.redacted());
                    next.append(
                            Archive.DIALOG,
                            Archive.json(new DialogLine(
                                    entry.seq(),
                                    entry.time(),
                                    entry.at(),
                                    entry.offset(),
                                    entry.kind(),
                                    entry.role(),
                                    entry.model(),
                                    rules.redact(entry.content(), counts),
                                    redact(entry.data(), counts),
                                    counts)));
                }
                if (Files.exists(archive.file(Archive.RESIZES))) {
                    Files.copy(archive.file(Archive.RESIZES), next.file(Archive.RESIZES));
                }
                var old = new Chain(archive.file(Archive.MANIFEST), id).read().last();
                next.write(meta.titled(rules.redact(meta.title(), new TreeMap<>())));
                new Chain(next.file(Archive.MANIFEST), id).append(List.of("0 redacted " + old));
                var trash = home.logs().resolve(".redacted-" + id);
                Files.move(archive.folder(), trash);
                Files.move(next.folder(), archive.folder());
                new Archive(trash).delete();
                manifests.remove(id);
                finish(archive, archive.meta(), archive.lastMicros(), String.valueOf(meta.endReason()));
                var after = archive.redactions();
                before.forEach((rule, n) -> after.merge(rule, -n, Integer::sum));
                after.values().removeIf(n -> n == 0);
                return after;
            }
        } catch (IOException e) {
            throw failed("cannot redact `" + id + "`", e);
        }
    }

    private void rewriteTerminal(Archive from, Archive to, Meta meta) throws IOException {
        var sizes = new ArrayDeque<>(
                from.asides().stream().filter(a -> a.code() == 'r').toList());
        try (var index = from.index();
                var raw = from.open(Archive.RAW);
                var rewrite = new Rewrite(to, rules, meta.cols())) {
            long at = 0;
            long micros = 0;
            for (var entry = index.next(); entry != null; entry = index.next()) {
                rewrite.output(micros, raw.readNBytes((int) (entry.offset() - at)));
                at = entry.offset();
                micros = entry.micros();
                while (!sizes.isEmpty() && sizes.element().micros() <= micros) {
                    var size = sizes.remove().data();
                    rewrite.resize(Integer.parseInt(size.substring(0, size.indexOf('x'))));
                }
                if (entry.lost() != null) {
                    rewrite.line(micros, "gap " + entry.lost());
                } else if (entry.redacted() != null) {
                    rewrite.line(micros, "redacted " + entry.redacted());
                }
            }
            rewrite.output(micros, raw.readAllBytes());
        }
    }

    /**
     * Compresses what is large in an ended recording. Whatever reads it finds it as it was; its manifest covers both the content and the
     * files that are there now.
     *
     * @return how many bytes that saved; 0 where it was compressed before
     * @throws HydraException CONFLICT where it has not ended, or is not as it was recorded
     */
    public long compress(String id) {
        return guard.act(action("compress", id), () -> compressNow(id));
    }

    private long compressNow(String id) {
        var archive = archive(id);
        requireUnchanged(archive, id);
        try {
            synchronized (lock(archive)) {
                var names = Archive.LARGE.stream()
                        .filter(name -> Files.exists(archive.file(name)))
                        .toList();
                if (names.isEmpty()) {
                    return 0;
                }
                var packed = names.stream().map(name -> name + Archive.PACKED).toArray(String[]::new);
                for (var name : names) {
                    archive.pack(name);
                }
                var meta = archive.meta();
                var micros = ChronoUnit.MICROS.between(meta.start(), Objects.requireNonNull(meta.end()));
                close(archive, parts(archive, micros, packed), micros);
                long saved = 0;
                for (var name : names) {
                    saved += Files.size(archive.file(name)) - Files.size(archive.file(name + Archive.PACKED));
                    Files.delete(archive.file(name));
                }
                return saved;
            }
        } catch (IOException e) {
            throw failed("cannot compress `" + id + "`", e);
        }
    }

    private void requireUnchanged(Archive archive, String id) {
        if (read(archive).state() != Recording.State.ENDED) {
            throw HydraException.conflict("`" + id + "` has not ended; close its workspace first");
        }
        var verified = verify(id);
        if (!verified.ok()) {
            throw HydraException.conflict("`" + id + "` is not as it was recorded: "
                    + verified.problems().getFirst() + "; `hydra recording verify` says more");
        }
    }

    /** The recordings that ended longer ago and are not compressed. */
    public List<Recording> compressible(Duration older) {
        var before = Instant.now().minus(older);
        return list().stream()
                .filter(r -> r.state() == Recording.State.ENDED
                        && r.end() != null
                        && r.end().isBefore(before)
                        && Archive.LARGE.stream().anyMatch(name -> Files.exists(r.file(name))))
                .toList();
    }

    /** By the setting {@code recording.compress-after}, once a day. */
    private void compressOld() {
        try {
            while (true) {
                for (var recording : compressible(properties.compressAfter())) {
                    try {
                        compressNow(recording.id());
                    } catch (HydraException e) {
                        log.warn("{}", e.text());
                    }
                }
                Thread.sleep(Duration.ofDays(1));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** How many secrets were taken out of a recording, by rule. */
    public Map<String, Integer> redactions(String id) {
        try {
            return archive(id).redactions();
        } catch (IOException e) {
            throw failed("cannot read the recording `" + id + "`", e);
        }
    }

    /** The commands that were run in a recorded shell, in order, as far as its screen shows them. */
    public List<CommandRun> commands(String id) {
        var archive = archive(id);
        try {
            return CommandRun.read(archive, metaOrGuess(archive));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (IOException e) {
            throw failed("cannot read the recording `" + id + "`", e);
        }
    }

    /** What was run in one of two recordings and not in the other. */
    public List<CommandRun.Difference> diff(String one, String other) {
        return CommandRun.diff(commands(one), commands(other));
    }

    /** The markers of a recording: what each says, by its time in seconds since the start. */
    public Map<Double, String> markers(String id) {
        try {
            var markers = new LinkedHashMap<Double, String>();
            archive(id).asides().stream()
                    .filter(a -> a.code() == 'm')
                    .forEach(a -> markers.put(a.micros() / 1e6, a.data()));
            return markers;
        } catch (IOException e) {
            throw failed("cannot read the recording `" + id + "`", e);
        }
    }

    /**
     * The recordings to remove so that what is left is at most so old, so many, and so large; those being recorded are never among
     * them.
     *
     * @param older remove what ended longer ago; null for no limit
     * @param keep at most so many stay; null for no limit
     * @param maxBytes at most so many bytes of terminal output stay; null for no limit
     */
    public List<Recording> prunable(@Nullable Duration older, @Nullable Integer keep, @Nullable Long maxBytes) {
        var gone = new ArrayList<Recording>();
        var count = 0;
        long bytes = 0;
        for (var recording : list()) {
            count++;
            bytes += recording.bytes();
            var old = older != null
                    && recording.end() != null
                    && recording.end().isBefore(Instant.now().minus(older));
            if (recording.state() != Recording.State.RECORDING
                    && (old || keep != null && count > keep || maxBytes != null && bytes > maxBytes)) {
                gone.add(recording);
            }
        }
        return gone;
    }

    private Path refreshLog(Archive archive) throws IOException {
        var file = archive.file(Archive.LOG);
        var packed = archive.file(Archive.LOG + Archive.PACKED);
        if (!Files.exists(file) && Files.exists(packed)) {
            return packed;
        }
        var raw = archive.file(Archive.RAW);
        // The log carries the time of the bytes it was made from: what is printed while it is made leaves it stale.
        var time = Files.exists(raw) ? Files.getLastModifiedTime(raw) : null;
        if (Files.exists(file)
                && (time == null
                        || Files.getLastModifiedTime(file).equals(time)
                        || metaOrGuess(archive).end() != null)) {
            return file;
        }
        var next = archive.file(Archive.LOG + ".new");
        try (var out = Files.newBufferedWriter(next)) {
            write(archive, Format.TXT, out);
        }
        if (time != null) {
            Files.setLastModifiedTime(next, time);
        }
        return Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private Recording read(Archive archive) {
        var meta = metaOrGuess(archive);
        long micros = 0;
        try {
            if (meta.end() == null) {
                micros = archive.lastMicros();
            }
        } catch (IOException | RuntimeException e) {
            log.warn("{}: its length cannot be read: {}", archive.folder(), e.getMessage());
        }
        var state = meta.end() != null
                ? Recording.State.ENDED
                : archive.capturing()
                        ? Recording.State.RECORDING
                        : paused(archive) ? Recording.State.PAUSED : Recording.State.CUT_OFF;
        var end =
                switch (state) {
                    case ENDED -> meta.end();
                    case CUT_OFF ->
                        meta.origin().start().plus(micros, ChronoUnit.MICROS).truncatedTo(ChronoUnit.MILLIS);
                    case RECORDING, PAUSED -> null;
                };
        return new Recording(
                archive.folder().getFileName().toString(),
                meta.instance(),
                meta.instanceId(),
                meta.kind(),
                meta.image(),
                Objects.requireNonNullElse(meta.imageDigest(), ""),
                meta.user(),
                meta.host(),
                meta.title(),
                meta.cols(),
                meta.rows(),
                meta.start(),
                end,
                meta.endReason(),
                state,
                (end == null ? meta.origin().elapsed() : ChronoUnit.MICROS.between(meta.start(), end)) / 1e6,
                archive.bytes(),
                archive.folder().toString());
    }

    private static boolean paused(Archive archive) {
        try {
            var last = archive.lastDialog();
            return last != null && last.kind().equals(PAUSE);
        } catch (IOException | JacksonException e) {
            return false;
        }
    }

    /** A recording whose meta.json is lost or damaged is still shown, played and exported. */
    private static Meta metaOrGuess(Archive archive) {
        try {
            return archive.meta();
        } catch (IOException e) {
            log.warn("{}: {}", archive.folder(), e.getMessage());
            var id = archive.folder().getFileName().toString();
            var start = startOf(id);
            return new Meta(
                    Archive.FORMAT,
                    id,
                    "",
                    "",
                    "",
                    "",
                    "",
                    "",
                    null,
                    "",
                    id,
                    80,
                    24,
                    start,
                    null,
                    null,
                    new Origin("", 0, ChronoUnit.MICROS.between(Instant.EPOCH, start)),
                    "",
                    null,
                    null,
                    null,
                    null,
                    null);
        }
    }

    private static Instant startOf(String id) {
        try {
            var stamp = id.substring(PREFIX.length());
            return STAMP.parse(stamp.substring(0, stamp.indexOf('Z') + 1), Instant::from);
        } catch (RuntimeException e) {
            return Instant.EPOCH;
        }
    }

    private Archive makeFolder(Instant start) throws IOException {
        var name = PREFIX + STAMP.format(start);
        var ownerOnly = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        for (int i = 1; ; i++) {
            try {
                return new Archive(
                        Files.createDirectory(home.logs().resolve(i == 1 ? name : name + "-" + i), ownerOnly));
            } catch (FileAlreadyExistsException e) {
                // Another began in the same second: the next number.
            }
        }
    }

    private List<Archive> archives() {
        try (var folders = Files.list(home.logs())) {
            return folders.filter(f -> f.getFileName().toString().startsWith(PREFIX))
                    .filter(Files::isDirectory)
                    .map(Archive::new)
                    .toList();
        } catch (IOException e) {
            throw failed("cannot read `" + home.logs() + "`", e);
        }
    }

    private Archive archive(String id) {
        var folder = home.logs().resolve(id).normalize();
        if (!id.startsWith(PREFIX) || !home.logs().equals(folder.getParent()) || !Files.isDirectory(folder)) {
            throw HydraException.notFound(
                    "there is no recording `" + printable(id) + "`; `hydra recording list` shows what there is");
        }
        return new Archive(folder);
    }

    private long[] lock(Archive archive) {
        return dialogs.computeIfAbsent(archive.folder().getFileName().toString(), _ -> new long[] {-1});
    }

    /** True while a pipe of this recording has not been read to its end. */
    private boolean waiting(String id) throws IOException {
        try (var all = Files.list(pipes())) {
            return all.anyMatch(p -> p.getFileName().toString().startsWith(id + "."));
        }
    }

    private Path pipes() {
        var folder = home.run().resolve("pipes");
        try {
            var ownerOnly = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
            return Files.isDirectory(folder) ? folder : Files.createDirectories(folder, ownerOnly);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the folder `" + folder + "`", e);
        }
    }

    private Path rulesFile() {
        return home.run().resolve("redact.rules");
    }

    /** A faulty rule is left out and said: what is recorded without it is better than nothing, and hydra's own still hold. */
    private void writeRules() {
        var own = new ArrayList<Rule>();
        var lines = new StringBuilder();
        for (var rule : properties.redact().rules()) {
            try {
                own.add(Rule.of(rule.name(), rule.before(), rule.secret()));
                lines.append(String.join("\t", rule.name(), rule.before(), rule.secret()))
                        .append('\n');
            } catch (IllegalArgumentException e) {
                log.error("the redaction rule `{}` is not used: {}", rule.name(), e.getMessage());
            }
        }
        rules = new Rules(own);
        try {
            // By a rename: a recorder that is just starting must not read half of it.
            var next = Files.createTempFile(home.run(), "redact", ".rules");
            Files.writeString(next, lines);
            Files.move(next, rulesFile(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write `" + rulesFile() + "`", e);
        }
    }

    private static Path codeSource(Class<?> type) {
        var source = type.getProtectionDomain().getCodeSource();
        if (source == null) {
            throw new IllegalStateException("nobody knows where " + type + " comes from");
        }
        return Path.of(URI.create(source.getLocation().toString()));
    }

    private Map<String, Object> redact(Map<String, Object> data, Map<String, Integer> counts) {
        var clean = new LinkedHashMap<String, Object>();
        data.forEach((key, value) -> clean.put(key, redactValue(value, counts)));
        return clean;
    }

    private Object redactValue(Object value, Map<String, Integer> counts) {
        return switch (value) {
            case String text -> rules.redact(text, counts);
            case Map<?, ?> map -> {
                var clean = new LinkedHashMap<String, Object>();
                map.forEach((key, inner) ->
                        clean.put(String.valueOf(key), inner == null ? "" : redactValue(inner, counts)));
                yield clean;
            }
            case Iterable<?> list -> {
                var clean = new ArrayList<Object>();
                list.forEach(inner -> clean.add(inner == null ? "" : redactValue(inner, counts)));
                yield clean;
            }
            default -> value;
        };
    }

    /** Appends a line to a file that only grows, and its digest to the manifest. */
    private void append(Archive archive, long micros, String name, String line) throws IOException {
        var from = archive.append(name, line);
        try {
            manifest(archive)
                    .append(List.of(Chain.part(
                            micros,
                            name,
                            from,
                            Files.size(archive.file(name)),
                            Chain.sha256().digest((line + "\n").getBytes(StandardCharsets.UTF_8)))));
        } catch (IOException e) {
            archive.cut(name, from); // a full disk: neither of the two, so that the manifest has no hole
            throw e;
        }
    }

    /** Puts the digest of a whole file into the manifest. */
    private void seal(Archive archive, long micros, String... names) throws IOException {
        manifest(archive).append(parts(archive, micros, names));
    }

    private static List<String> parts(Archive archive, long micros, String... names) throws IOException {
        var parts = new ArrayList<String>();
        for (var name : names) {
            if (Files.exists(archive.file(name))) {
                var digest = Verification.digest(archive.file(name), 0, Long.MAX_VALUE);
                parts.add(Chain.part(micros, name, 0, Files.size(archive.file(name)), digest));
            }
        }
        return parts;
    }

    private void finish(Archive archive, Meta meta, long micros, String reason) throws IOException {
        refreshLog(archive);
        writeCast(archive);
        Verification.sealRest(archive, manifest(archive), micros, Verification.GROWING);
        archive.write(meta.ended(
                meta.origin().start().plus(micros, ChronoUnit.MICROS).truncatedTo(ChronoUnit.MILLIS),
                reason,
                archive.bytes(),
                archive.dialog().stream()
                        .map(DialogLine::model)
                        .filter(Objects::nonNull)
                        .distinct()
                        .toList(),
                archive.modelIdentities(),
                archive.redactions()));
        close(archive, micros);
    }

    /** The last lines of the manifest, and a line in the ledger of all recordings, which says how this one ended. */
    private void close(Archive archive, long micros) throws IOException {
        close(archive, parts(archive, micros, Archive.META, Archive.LOG, Archive.CAST, Archive.ERRORS), micros);
    }

    private void close(Archive archive, List<String> parts, long micros) throws IOException {
        parts.add(micros + " end");
        var last = manifest(archive).append(parts);
        archive.force(Archive.MANIFEST);
        conclude(archive, last);
    }

    private void conclude(Archive archive, String last) throws IOException {
        var id = archive.folder().getFileName().toString();
        Files.writeString(archive.file(Archive.SIGNATURE), signer.sign(id, last));
        ledger().append(List.of(id + " ended " + last + " " + Verification.SIGNED));
    }

    private Chain manifest(Archive archive) {
        var id = archive.folder().getFileName().toString();
        return manifests.computeIfAbsent(id, _ -> new Chain(archive.file(Archive.MANIFEST), id));
    }

    private Chain ledger() {
        return manifests.computeIfAbsent(LEDGER, _ -> new Chain(home.logs().resolve(LEDGER), LEDGER));
    }

    /**
     * Checks a recording against its manifest and the ledger.
     *
     * @return what is wrong with it, a line each; of one that is being recorded, what was not sealed yet is not wrong
     */
    public Verified verify(String id) {
        var archive = archive(id);
        try {
            synchronized (lock(archive)) { // not in the middle of its end
                return Verification.verify(archive, read(archive), ledger().read(), signer);
            }
        } catch (IOException e) {
            throw failed("cannot verify `" + id + "`", e);
        }
    }

    /** Recordings that the ledger knows and nobody deleted, yet are not there; and what is wrong with the ledger itself. */
    public List<String> verifyLedger() {
        try {
            var read = ledger().read();
            var there = archives().stream()
                    .map(a -> a.folder().getFileName().toString())
                    .collect(Collectors.toSet());
            return Verification.missing(read, there);
        } catch (IOException e) {
            throw failed("cannot read the ledger", e);
        }
    }

    private static HydraException exists(Path file) {
        return HydraException.conflict("`" + file + "` exists; name another file or pass --force");
    }

    private static HydraException failed(String what, IOException e) {
        return HydraException.failed(what + ": " + (e.getMessage() == null ? e.toString() : e.getMessage()), e);
    }

    private static void deleteIfThere(@Nullable Path file) {
        if (file != null) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                log.warn("cannot remove `{}`", file, e);
            }
        }
    }

    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (IOException e) {
            return "localhost";
        }
    }

    /** What else had a part in it: the kernel, the Java that ran hydra, tmux. */
    private static Map<String, String> versions() {
        var versions = new TreeMap<String, String>();
        versions.put("kernel", System.getProperty("os.version"));
        versions.put("java", System.getProperty("java.version"));
        try {
            var tmux = Processes.require(Duration.ofSeconds(5), List.of("tmux", "-V"));
            versions.put("tmux", tmux.strip().replaceFirst("^tmux ", ""));
        } catch (HydraException e) {
            log.debug("no tmux", e);
        }
        return versions;
    }

    private static String version() {
        var version = RecordingService.class.getPackage().getImplementationVersion();
        return version == null ? "" : version;
    }
}
