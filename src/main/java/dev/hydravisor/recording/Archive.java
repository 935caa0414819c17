package dev.hydravisor.recording;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.hydravisor.operation.HydraException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** The folder of one recording on disk; docs/recording-format.md describes it. */
record Archive(Path folder) {
    static final int FORMAT = 1;
    static final String META = "meta.json";
    static final String RAW = "terminal.raw";
    static final String INDEX = "terminal.idx";
    static final String RESIZES = "resize.idx";
    static final String DIALOG = "dialog.jsonl";
    static final String LOG = "terminal.log";
    static final String CAST = "terminal.cast";
    static final String MANIFEST = "MANIFEST";
    static final String SIGNATURE = "MANIFEST.sig";
    static final String ERRORS = "recorder.err";

    /** What is compressed in an old recording, each file to one of its name and {@link #PACKED}. */
    static final List<String> LARGE = List.of(RAW, INDEX, LOG, CAST);

    static final String PACKED = ".gz";

    /** The kind of the entry that says what exactly a model is, and its one field. */
    static final String IDENTITY = "identity";

    static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .changeDefaultPropertyInclusion(i -> i.withValueInclusion(JsonInclude.Include.ALWAYS))
            .build();

    private static final Pattern CONTROLS = Pattern.compile("[\\x7F-\\x9F]");

    /** The content of {@code meta.json}. */
    record Meta(
            int format,
            String id,
            String instance,
            String instanceId,
            String kind,
            String image,
            @Nullable String imageDigest,
            String user,
            @Nullable String role,
            String host,
            String title,
            int cols,
            int rows,
            Instant start,
            @Nullable Instant end,
            @Nullable String endReason,
            Origin origin,
            String hydra,
            @Nullable Map<String, String> versions,
            @Nullable Long bytes,
            @Nullable List<String> models,
            @Nullable Map<String, String> modelIdentities,
            @Nullable Map<String, Integer> redacted) {
        Meta titled(String other) {
            return new Meta(
                    format,
                    id,
                    instance,
                    instanceId,
                    kind,
                    image,
                    imageDigest,
                    user,
                    role,
                    host,
                    other,
                    cols,
                    rows,
                    start,
                    end,
                    endReason,
                    origin,
                    hydra,
                    versions,
                    bytes,
                    models,
                    modelIdentities,
                    redacted);
        }

        Meta ended(
                Instant at,
                String reason,
                long terminalBytes,
                List<String> whichModels,
                Map<String, String> identities,
                Map<String, Integer> counts) {
            return new Meta(
                    format,
                    id,
                    instance,
                    instanceId,
                    kind,
                    image,
                    imageDigest,
                    user,
                    role,
                    host,
                    title,
                    cols,
                    rows,
                    start,
                    at,
                    reason,
                    origin,
                    hydra,
                    versions,
                    terminalBytes,
                    whichModels,
                    identities,
                    counts);
        }
    }

    /** A line of {@code dialog.jsonl}. */
    record DialogLine(
            long seq,
            double time,
            Instant at,
            long offset,
            String kind,
            String role,
            @Nullable String model,
            String content,
            Map<String, Object> data,
            @Nullable Map<String, Integer> redacted) {}

    /** A line of the index: at this time, in microseconds, the output from this offset on arrived. */
    record Entry(
            long micros,
            long offset,
            @Nullable String lost,
            @Nullable String redacted) {}

    /** Something that happened beside the bytes, as asciicast names it: {@code r} or {@code m}. */
    record Aside(long micros, char code, String data) {}

    /** One line of JSON without any control character, even those that JSON allows: it may be read on a terminal. */
    static String json(Object value) {
        var json = JSON.writeValueAsString(value);
        return CONTROLS.matcher(json)
                .replaceAll(m -> "\\\\u00" + Integer.toHexString(m.group().charAt(0)));
    }

    Path file(String name) {
        return folder.resolve(name);
    }

    /** True where a file is there, compressed or not. */
    boolean has(String name) {
        return Files.exists(file(name)) || Files.exists(file(name + PACKED));
    }

    /** The content of a file, compressed or not; nothing where there is none. */
    InputStream open(String name) throws IOException {
        if (Files.exists(file(name))) {
            try {
                return Files.newInputStream(file(name));
            } catch (NoSuchFileException e) {
                // It was just compressed.
            }
        }
        return Files.exists(file(name + PACKED))
                ? new GZIPInputStream(Files.newInputStream(file(name + PACKED)), 1 << 16)
                : InputStream.nullInputStream();
    }

    /** Writes a file's content compressed beside it and sees it to the disk. */
    void pack(String name) throws IOException {
        var next = file(name + PACKED + ".new");
        try (var channel = FileChannel.open(
                next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            var packed = new GZIPOutputStream(Channels.newOutputStream(channel), 1 << 16);
            Files.copy(file(name), packed);
            packed.finish();
            channel.force(true);
        }
        Files.move(next, file(name + PACKED), StandardCopyOption.ATOMIC_MOVE);
    }

    Meta meta() throws IOException {
        try {
            var meta = JSON.readValue(Files.readString(file(META)), Meta.class);
            if (Stream.of(meta.id(), meta.instance(), meta.start(), meta.origin(), meta.title())
                    .anyMatch(Objects::isNull)) {
                throw new IOException("`" + file(META) + "` is not whole");
            }
            return meta;
        } catch (JacksonException e) {
            throw new IOException("`" + file(META) + "` cannot be read: " + e.getOriginalMessage(), e);
        }
    }

    void write(Meta meta) throws IOException {
        var text = JSON.writer().with(SerializationFeature.INDENT_OUTPUT).writeValueAsString(meta) + "\n";
        var next = file(META + ".new");
        try (var channel = FileChannel.open(
                next, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            writeAll(channel, text);
            channel.force(true);
        }
        Files.move(next, file(META), StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * Appends one whole line, or nothing, and sees it to the disk.
     *
     * @return where it begins
     */
    long append(String name, String line) throws IOException {
        try (var channel = FileChannel.open(
                file(name), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            var whole = wholeLines(channel);
            channel.truncate(whole).position(whole);
            try {
                writeAll(channel, line + "\n");
            } catch (IOException e) {
                channel.truncate(whole);
                throw e;
            }
            channel.force(false);
            return whole;
        }
    }

    /** Takes back what was appended to a file. */
    void cut(String name, long length) throws IOException {
        try (var channel = FileChannel.open(file(name), StandardOpenOption.WRITE)) {
            channel.truncate(length);
        }
    }

    /** Sees a file to the disk. */
    void force(String name) throws IOException {
        try (var channel = FileChannel.open(file(name), StandardOpenOption.WRITE)) {
            channel.force(false);
        }
    }

    /** Cuts off half a line that a crash left at the end of a file of lines. */
    void repair(String name) throws IOException {
        if (Files.exists(file(name))) {
            try (var channel = FileChannel.open(file(name), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                var whole = wholeLines(channel);
                if (whole < channel.size()) {
                    channel.truncate(whole);
                }
            }
        }
    }

    /** True while a recorder holds its lock on the bytes. */
    boolean capturing() {
        synchronized (Archive.class) {
            if (!Files.exists(file(RAW))) {
                return false;
            }
            try (var channel = FileChannel.open(file(RAW), StandardOpenOption.READ);
                    var lock = channel.tryLock(0, Long.MAX_VALUE, true)) {
                return lock == null;
            } catch (OverlappingFileLockException e) {
                return false;
            } catch (IOException e) {
                return false;
            }
        }
    }

    long bytes() {
        try {
            return Files.exists(file(RAW))
                    ? Files.size(file(RAW))
                    : Files.exists(file(RAW + PACKED)) ? Objects.requireNonNullElse(meta().bytes(), 0L) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    /** The time of the last thing recorded, in microseconds. */
    long lastMicros() throws IOException {
        long last = 0;
        for (var name : List.of(INDEX, RESIZES)) {
            var line = lastLine(name);
            if (line != null) {
                last = Math.max(last, Long.parseLong(line.substring(0, line.indexOf(' '))));
            }
        }
        var dialog = lastDialog();
        return dialog == null ? last : Math.max(last, (long) (dialog.time() * 1e6));
    }

    @Nullable
    DialogLine lastDialog() throws IOException {
        var line = lastLine(DIALOG);
        return line == null ? null : JSON.readValue(line, DialogLine.class);
    }

    /** Reads the index from its start; half a line at its end is none. */
    IndexReader index() throws IOException {
        return new IndexReader(open(INDEX));
    }

    /** Resizes and dialog turns, by time. */
    List<Aside> asides() throws IOException {
        var asides = new ArrayList<Aside>();
        for (var line : lines(RESIZES)) {
            var blank = line.indexOf(' ');
            asides.add(new Aside(Long.parseLong(line.substring(0, blank)), 'r', line.substring(blank + 1)));
        }
        for (var line : lines(DIALOG)) {
            var entry = JSON.readValue(line, DialogLine.class);
            asides.add(new Aside((long) (entry.time() * 1e6), 'm', label(entry)));
        }
        asides.sort(Comparator.comparingLong(Aside::micros));
        return asides;
    }

    /** The entries of the dialog. */
    List<DialogLine> dialog() throws IOException {
        return lines(DIALOG).stream()
                .map(l -> JSON.readValue(l, DialogLine.class))
                .toList();
    }

    /** What exactly each model was that took part, as its provider said: the last it said. */
    Map<String, String> modelIdentities() throws IOException {
        var identities = new TreeMap<String, String>();
        for (var entry : dialog()) {
            if (entry.kind().equals(IDENTITY) && entry.model() != null) {
                identities.put(entry.model(), String.valueOf(entry.data().get(IDENTITY)));
            }
        }
        return identities;
    }

    /** How many secrets were taken out of terminal and dialog, by rule. */
    Map<String, Integer> redactions() throws IOException {
        var counts = new TreeMap<String, Integer>();
        try (var index = index()) {
            for (var entry = index.next(); entry != null; entry = index.next()) {
                if (entry.redacted() != null) {
                    counts.merge(entry.redacted(), 1, Integer::sum);
                }
            }
        }
        for (var entry : dialog()) {
            if (entry.redacted() != null) {
                entry.redacted().forEach((rule, n) -> counts.merge(rule, n, Integer::sum));
            }
        }
        return counts;
    }

    private static String label(DialogLine entry) {
        var what = entry.kind().equals("message") ? entry.role() : entry.kind() + " by " + entry.role();
        var text = entry.content().strip().replaceAll("[\\p{Cntrl}\\s]+", " ");
        return what + ": " + (text.length() <= 80 ? text : text.substring(0, text.offsetByCodePoints(0, 79)) + "…");
    }

    /** The whole lines of a file; none where there is no file. */
    List<String> lines(String name) throws IOException {
        if (!Files.exists(file(name))) {
            return List.of();
        }
        var text = Files.readString(file(name));
        return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
    }

    private @Nullable String lastLine(String name) throws IOException {
        if (!Files.exists(file(name))) {
            try (var lines = new BufferedReader(new InputStreamReader(open(name), StandardCharsets.UTF_8))) {
                return lines.lines().reduce((_, last) -> last).orElse(null);
            }
        }
        try (var channel = FileChannel.open(file(name), StandardOpenOption.READ)) {
            var end = wholeLines(channel);
            if (end == 0) {
                return null;
            }
            var start = lineEndBefore(channel, end - 1);
            var line = ByteBuffer.allocate((int) (end - 1 - start));
            readAll(channel, line, start);
            return new String(line.array(), StandardCharsets.UTF_8);
        }
    }

    private static long wholeLines(FileChannel channel) throws IOException {
        return lineEndBefore(channel, channel.size());
    }

    /** The offset after the last line end before {@code end}; 0 when there is none. */
    private static long lineEndBefore(FileChannel channel, long end) throws IOException {
        for (long to = end; to > 0; ) {
            var from = Math.max(0, to - 4096);
            var block = ByteBuffer.allocate((int) (to - from));
            readAll(channel, block, from);
            for (int i = block.limit() - 1; i >= 0; i--) {
                if (block.get(i) == '\n') {
                    return from + i + 1;
                }
            }
            to = from;
        }
        return 0;
    }

    private static void readAll(FileChannel channel, ByteBuffer into, long from) throws IOException {
        while (into.hasRemaining() && channel.read(into, from + into.position()) >= 0) {}
        into.flip();
    }

    private static void writeAll(FileChannel channel, String text) throws IOException {
        var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Removes the folder and all in it. */
    void delete() throws IOException {
        try (var files = Files.list(folder)) {
            for (var file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    /** Entries of the index, one after the other, times never going back. */
    static final class IndexReader implements AutoCloseable {
        private final BufferedReader lines;
        private long micros;
        private long offset;

        IndexReader(InputStream in) {
            lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII));
        }

        @Nullable
        Entry next() throws IOException {
            var line = new StringBuilder();
            int c;
            while ((c = lines.read()) >= 0 && c != '\n') {
                line.append((char) c);
            }
            if (c < 0) {
                return null;
            }
            var words = line.toString().split(" ", -1);
            try {
                micros = Math.max(micros, Long.parseLong(words[0]));
                offset = Math.max(offset, Long.parseLong(words[1]));
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
                throw HydraException.failed(
                        "`" + INDEX + "` is damaged at `" + line + "`; export it with --format raw", e);
            }
            var lost = words.length > 3 && words[2].equals("gap") ? words[3] : null;
            var redacted = words.length > 3 && words[2].equals("redacted") ? words[3] : null;
            return new Entry(micros, offset, lost, redacted);
        }

        @Override
        public void close() throws IOException {
            lines.close();
        }
    }
}
