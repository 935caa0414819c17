package dev.hydravisor.recording;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.Archive.DialogLine;
import dev.hydravisor.recording.Archive.Meta;
import jakarta.annotation.PostConstruct;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.InetAddress;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Service;

/**
 * Recordings: one folder each under {@code $HYDRA_HOME/logs}, which is the whole truth about it. The terminal's bytes are written by
 * a recorder of their own process that tmux starts, so a recording goes on while this daemon is dead.
 */
@Service
public class RecordingService {
    private static final Logger log = LoggerFactory.getLogger(RecordingService.class);
    private static final String PREFIX = "session-";
    private static final DateTimeFormatter STAMP =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssX").withZone(ZoneOffset.UTC);

    private final HydraHome home;
    /** The last number given out in the dialog of each recording; its lock too. */
    private final Map<String, long[]> dialogs = new ConcurrentHashMap<>();

    public RecordingService(HydraHome home) {
        this.home = home;
    }

    /** Puts the recorder where tmux finds it, and brings in order what ended while no daemon ran. */
    @PostConstruct
    void start() {
        installRecorder();
        for (var archive : archives()) {
            try {
                archive.repair(Archive.RESIZES);
                archive.repair(Archive.DIALOG);
                if (!archive.capturing()) {
                    archive.repair(Archive.INDEX);
                    refreshLog(archive);
                }
            } catch (IOException | HydraException e) {
                log.warn("{}: {}", archive.folder(), e.getMessage());
            }
        }
    }

    /** Makes the folder of a new recording. Nothing is captured until tmux runs {@link #recorderCommand}. */
    public Recording begin(Begin about) {
        var origin = Origin.now();
        try {
            var archive = makeFolder(origin.start());
            archive.write(new Meta(
                    Archive.FORMAT,
                    archive.folder().getFileName().toString(),
                    about.instance(),
                    about.instanceId(),
                    about.kind(),
                    about.image(),
                    about.user(),
                    hostName(),
                    about.title(),
                    about.cols(),
                    about.rows(),
                    origin.start().truncatedTo(ChronoUnit.MILLIS),
                    null,
                    null,
                    origin,
                    version()));
            return read(archive);
        } catch (IOException e) {
            throw failed("cannot begin a recording in `" + home.logs() + "`", e);
        }
    }

    /**
     * The recorder's argv, for {@code tmux pipe-pane -O}: it appends what it reads on stdin to the recording, until stdin ends. Started
     * again for the same recording, it goes on and marks the gap. tmux expands {@code #} and {@code %} in the command: double them.
     */
    public List<String> recorderCommand(Recording recording) {
        try {
            var origin = archive(recording.id()).meta().origin();
            return List.of(
                    "perl",
                    recorder().toString(),
                    recording.folder(),
                    origin.boot(),
                    Long.toString(origin.monotonicUs()),
                    Long.toString(origin.wallUs()));
        } catch (IOException e) {
            throw failed("cannot read the recording `" + recording.id() + "`", e);
        }
    }

    /** The terminal has another size from now on. */
    public void resized(String id, int cols, int rows) {
        var archive = archive(id);
        try {
            synchronized (lock(archive)) {
                archive.append(Archive.RESIZES, archive.meta().origin().elapsed() + " " + cols + "x" + rows);
            }
        } catch (IOException e) {
            throw failed("cannot write to the recording `" + id + "`", e);
        }
    }

    /** The file that the output of the terminal is appended to, byte by byte, as it comes. */
    public Path output(String id) {
        return archive(id).file(Archive.RAW);
    }

    /** Something happened beside the terminal. It is on the disk when this returns. */
    public void dialog(String id, DialogEntry entry) {
        var archive = archive(id);
        var last = lock(archive);
        try {
            synchronized (last) {
                var origin = archive.meta().origin();
                if (last[0] < 0) {
                    var line = archive.lastDialog();
                    last[0] = line == null ? 0 : line.seq();
                }
                var micros = origin.elapsed();
                archive.append(
                        Archive.DIALOG,
                        Archive.json(new DialogLine(
                                last[0] + 1,
                                micros / 1e6,
                                Instant.now().truncatedTo(ChronoUnit.MILLIS),
                                archive.bytes(),
                                entry.kind(),
                                entry.role(),
                                entry.model(),
                                entry.content(),
                                entry.data())));
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
                for (int i = 0; i < 20 && archive.capturing(); i++) {
                    Thread.sleep(50);
                }
                var running = archive.capturing();
                if (!running) {
                    archive.repair(Archive.INDEX);
                }
                var micros = running ? meta.origin().elapsed() : archive.lastMicros();
                archive.write(meta.ended(
                        meta.origin().start().plus(micros, ChronoUnit.MICROS).truncatedTo(ChronoUnit.MILLIS), reason));
                refreshLog(archive);
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

    /** The plain text of a recording, brought up to date: of one still running, up to now. */
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
        Replay.play(archive(id), options, terminal);
    }

    /**
     * Writes a recording as text, in any format but RAW. {@code out} is not closed.
     *
     * @throws HydraException INTERRUPTED when this thread is interrupted
     */
    public void export(String id, Format format, Writer out) throws IOException {
        write(archive(id), format, out);
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
                Files.copy(archive(id).file(Archive.RAW), part, StandardCopyOption.REPLACE_EXISTING);
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
        try {
            synchronized (lock(archive)) {
                archive.delete();
            }
            dialogs.remove(id);
        } catch (IOException e) {
            throw failed("cannot delete the recording `" + id + "`", e);
        }
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
                case RAW -> throw new IllegalArgumentException("raw bytes are no text");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private Path refreshLog(Archive archive) throws IOException {
        var file = archive.file(Archive.LOG);
        var raw = archive.file(Archive.RAW);
        // The log carries the time of the bytes it was made from: what is printed while it is made leaves it stale.
        var time = Files.exists(raw) ? Files.getLastModifiedTime(raw) : null;
        if (Files.exists(file)
                && (time == null || Files.getLastModifiedTime(file).equals(time))) {
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
                : archive.capturing() ? Recording.State.RECORDING : Recording.State.CUT_OFF;
        var end =
                switch (state) {
                    case ENDED -> meta.end();
                    case CUT_OFF ->
                        meta.origin().start().plus(micros, ChronoUnit.MICROS).truncatedTo(ChronoUnit.MILLIS);
                    case RECORDING -> null;
                };
        return new Recording(
                meta.id(),
                meta.instance(),
                meta.instanceId(),
                meta.kind(),
                meta.image(),
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
                    id,
                    80,
                    24,
                    start,
                    null,
                    null,
                    new Origin("", 0, ChronoUnit.MICROS.between(Instant.EPOCH, start)),
                    "");
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

    private Path recorder() {
        return home.run().resolve("recorder.pl");
    }

    private void installRecorder() {
        try (var script = RecordingService.class.getResourceAsStream("recorder.pl")) {
            if (script == null) {
                throw new IllegalStateException("recorder.pl is not on the class path");
            }
            // By a rename: a recorder that is just starting must not read half of it.
            var next = Files.createTempFile(home.run(), "recorder", ".pl");
            Files.write(next, script.readAllBytes());
            Files.move(next, recorder(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write `" + recorder() + "`", e);
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

    private static String version() {
        var version = RecordingService.class.getPackage().getImplementationVersion();
        return version == null ? "" : version;
    }
}
