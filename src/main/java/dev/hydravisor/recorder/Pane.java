package dev.hydravisor.recorder;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Records one pane: bytes to terminal.raw, lines of {@code microseconds offset} to terminal.idx, and about once a second the digests
 * of both to MANIFEST. What the disk does not take is counted and left out, so that reading goes on.
 */
final class Pane implements Redactor.Sink {
    private static final int CONTEXT = 4096;
    private static final long LOOK_NANOS = 5_000_000;

    /** Only one at a time writes a recording; the next waits until the last has read all. */
    private static final Map<String, ReentrantLock> LOCKS = new ConcurrentHashMap<>();

    /** The recordings whose output is being lost. */
    private static final Set<String> FAILING = ConcurrentHashMap.newKeySet();

    private static final Pattern FIELD = Pattern.compile("\"(boot|monotonic_us|wall_us|cols)\" : \"?([0-9a-f-]+)");

    /** A file that only grows, and what of it no line of the manifest covers yet. */
    private static final class Grown {
        final String name;
        final FileChannel channel;
        long size;
        long sealed;
        MessageDigest digest = Chain.sha256();

        Grown(Path folder, String name) throws IOException {
            this.name = name;
            channel = FileChannel.open(
                    folder.resolve(name), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            size = channel.size();
        }

        /** @return how many of the bytes the disk took */
        int write(byte[] bytes, int offset, int length) {
            var buffer = ByteBuffer.wrap(bytes, offset, length);
            @Nullable IOException failed = null;
            while (buffer.hasRemaining() && failed == null) {
                try {
                    channel.write(buffer, size + buffer.position() - offset);
                } catch (IOException e) {
                    failed = e;
                }
            }
            var written = buffer.position() - offset;
            problem = failed;
            digest.update(bytes, offset, written);
            size += written;
            return written;
        }

        @Nullable
        IOException problem;

        /** Digests what a recorder before this one wrote and did not live to seal. */
        void catchUp(long from) throws IOException {
            sealed = Math.min(from, size);
            var block = ByteBuffer.allocate(1 << 16);
            for (var at = sealed; at < size; ) {
                block.clear().limit((int) Math.min(block.capacity(), size - at));
                var read = channel.read(block, at);
                if (read < 0) {
                    return;
                }
                at += read;
                digest.update(block.flip());
            }
        }
    }

    private final Path pipe;
    private final String id;
    private final Path folder;
    private final Path rules;
    private final ReentrantLock writing = new ReentrantLock();

    private @Nullable Grown raw;
    private @Nullable Grown index;
    private @Nullable Chain manifest;
    private @Nullable FileChannel errors;
    private @Nullable Held held;
    private long base;
    private long indexed = Long.MIN_VALUE / 2;
    private String lost = "0";
    private boolean failing;
    private boolean seeding;
    private boolean unsealed;
    private boolean dirty;
    private long resizes = -1;

    Pane(Path pipe, Path logs, Path rules) {
        this.pipe = pipe;
        var name = pipe.getFileName().toString();
        this.id = name.substring(0, Math.max(0, name.lastIndexOf('.')));
        this.folder = logs.resolve(id);
        this.rules = rules;
    }

    @Override
    public String toString() {
        return pipe.getFileName().toString();
    }

    /** Reads the pipe to its end. */
    void run() throws IOException {
        // Opened to write too, it opens at once even where its writer has ended already and left something in it.
        try (var both = new RandomAccessFile(pipe.toFile(), "rw");
                var in = new FileInputStream(pipe.toFile())) {
            both.close();
            var lock = LOCKS.computeIfAbsent(id, _ -> new ReentrantLock());
            lock.lock();
            try {
                record(in);
            } finally {
                lock.unlock();
            }
        } finally {
            Files.deleteIfExists(pipe); // whoever filled it waits for this
        }
    }

    private void record(FileInputStream in) throws IOException {
        var bytes = new byte[1 << 15];
        try {
            open();
            var redactor = new Redactor(Rules.read(rules), columns(80), this);
            seed(redactor);
            keep(redactor, null, 0);
            if (lost.equals("?")) {
                redactor.gap();
            }
            for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
                keep(redactor, bytes, read);
                redactor.resize(columns(0));
                redactor.feed(now(), bytes, read);
            }
            writing.lock();
            try {
                redactor.finish();
                if (!lost.equals("0")) {
                    line(now() + " " + size() + " gap " + lost);
                }
                line(now() + " " + size() + " end");
            } finally {
                writing.unlock();
            }
        } catch (IOException | RuntimeException e) {
            complain(e);
            while (in.read(bytes) >= 0) {} // tmux must not have to keep it
            throw e;
        } finally {
            sync();
            close();
        }
    }

    private void open() throws IOException {
        errors = FileChannel.open(
                folder.resolve("recorder.err"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.APPEND);
        if (errors.size() == 0) {
            errors.write(
                    ByteBuffer.wrap("\n".getBytes(StandardCharsets.US_ASCII))); // the block a line needs on a full disk
        }
        var text = Files.readString(folder.resolve("meta.json"));
        if (text.contains("\"end\" : \"")) {
            throw new IOException("what came after its end is left out");
        }
        var meta = FIELD.matcher(text);
        var fields = new java.util.HashMap<String, String>();
        while (meta.find()) {
            fields.putIfAbsent(meta.group(1), meta.group(2));
        }
        var sameBoot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id"))
                .strip()
                .equals(fields.get("boot"));
        var monotonic = System.nanoTime() / 1000;
        base = sameBoot
                ? -Long.parseLong(fields.getOrDefault("monotonic_us", "0"))
                : System.currentTimeMillis() * 1000 - monotonic - Long.parseLong(fields.getOrDefault("wall_us", "0"));
        startColumns = Integer.parseInt(fields.getOrDefault("cols", "80"));
        raw = new Grown(folder, "terminal.raw");
        raw.channel.lock(); // by this others see that it is being recorded
        index = new Grown(folder, "terminal.idx");
        wholeLines(index);
        manifest = new Chain(folder.resolve("MANIFEST"), id);
        held = Held.open(toString());
        if ((raw.size > 0 || index.size > 0) && !ended(index)) {
            lost = "?"; // a recorder before this one died: what it had just read is unknown
        }
        for (var grown : new Grown[] {raw, index}) {
            var sealed = 0L;
            for (var line : manifest.read().lines()) {
                var words = line.split(" ", -1);
                if (words.length > 3 && words[1].equals(grown.name)) {
                    sealed = Long.parseLong(words[3]);
                }
            }
            grown.catchUp(sealed);
        }
    }

    /** Keeps what was read in memory that outlives this process; at first, takes what a recorder before this one had kept so. */
    private void keep(Redactor redactor, byte @Nullable [] bytes, int count) throws IOException {
        var memory = held;
        if (memory == null) {
            return;
        }
        try {
            if (bytes == null) {
                var rest = memory.rest(size());
                redactor.feed(now(), rest, rest.length);
            } else {
                memory.keep(bytes, count, size(), redactor.held());
            }
        } catch (IOException e) {
            complain(e); // no memory is left: recording goes on without
            held = null;
        }
    }

    private int startColumns = 80;
    private long looked;

    /** The terminal's width now; the daemon notes each change, some milliseconds after it. */
    private int columns(int fallback) {
        var now = System.nanoTime();
        if (fallback == 0 && now - looked < LOOK_NANOS) {
            return startColumns;
        }
        looked = now;
        var file = folder.resolve("resize.idx").toFile();
        var length = file.length();
        if (length == resizes && fallback == 0 || length == 0) {
            return startColumns;
        }
        resizes = length;
        try (var in = new RandomAccessFile(file, "r")) {
            in.seek(Math.max(0, length - 64));
            var tail = new byte[(int) Math.min(64, length)];
            in.readFully(tail);
            var text = new String(tail, StandardCharsets.US_ASCII);
            var end = text.lastIndexOf('\n');
            var size = text.substring(text.lastIndexOf(' ', end) + 1, end);
            startColumns = Integer.parseInt(size.substring(0, size.indexOf('x')));
        } catch (IOException | RuntimeException e) {
            complain(e);
        }
        return startColumns;
    }

    /** What stood there before may be the beginning of a secret whose rest is still to come. */
    private void seed(Redactor redactor) throws IOException {
        var grown = raw;
        if (grown == null || grown.size == 0) {
            return;
        }
        var tail = ByteBuffer.allocate((int) Math.min(CONTEXT, grown.size));
        grown.channel.read(tail, grown.size - tail.capacity());
        seeding = true;
        redactor.feed(0, tail.array(), tail.position());
        redactor.finish();
        seeding = false;
    }

    @Override
    public void write(long micros, byte[] bytes, int offset, int length) {
        var grown = raw;
        if (seeding || grown == null) {
            return;
        }
        writing.lock();
        try {
            var start = grown.size;
            var written = grown.write(bytes, offset, length);
            if (written > 0
                    && (!lost.equals("0") || micros - indexed >= 1000)
                    && line(micros + " " + start + (lost.equals("0") ? "" : " gap " + lost))) {
                indexed = micros;
                lost = "0";
            }
            dirty |= written > 0;
            if (written == length) {
                failing(false);
            } else {
                if (grown.problem != null && !failing) {
                    complain(grown.problem);
                    failing(true);
                }
                if (!lost.equals("?")) {
                    lost = Long.toString(Long.parseLong(lost) + length - written);
                }
            }
        } finally {
            writing.unlock();
        }
    }

    /** Says in the border of the pane whether what it prints is lost, and wakes the daemon. */
    private void failing(boolean is) {
        if (is == failing) {
            return;
        }
        failing = is;
        var socket = System.getenv("HYDRA_TMUX");
        if (socket == null) {
            return;
        }
        try {
            if (is) {
                FAILING.add(id);
            } else {
                FAILING.remove(id);
            }
            new ProcessBuilder(
                            "tmux",
                            "-S",
                            socket,
                            "set-option",
                            "-g",
                            "@failing",
                            String.join(" ", FAILING),
                            ";",
                            "wait-for",
                            "-S",
                            "hydra")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            complain(e);
        }
    }

    @Override
    public void redacted(long micros, String rule) {
        if (!seeding) {
            writing.lock();
            try {
                line(micros + " " + size() + " redacted " + rule);
            } finally {
                writing.unlock();
            }
        }
    }

    private long size() {
        return raw == null ? 0 : raw.size;
    }

    /** One whole line to the index, or nothing of it. */
    private boolean line(String text) {
        var grown = index;
        if (grown == null) {
            return false;
        }
        var bytes = (text + "\n").getBytes(StandardCharsets.US_ASCII);
        var start = grown.size;
        MessageDigest before;
        try {
            before = (MessageDigest) grown.digest.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException(e);
        }
        if (grown.write(bytes, 0, bytes.length) == bytes.length) {
            dirty = true;
            return true;
        }
        grown.size = start;
        grown.digest = before;
        try {
            grown.channel.truncate(start);
        } catch (IOException e) {
            complain(e);
        }
        return false;
    }

    /** Seals what was written since the last time and sees it to the disk. */
    void sync() {
        var chain = manifest;
        var grown = raw;
        var lines = index;
        if (chain == null || grown == null || lines == null) {
            return;
        }
        try {
            writing.lock();
            try {
                if (!dirty) {
                    return;
                }
                var seals = new ArrayList<String>();
                for (var file : new Grown[] {grown, lines}) {
                    if (file.size > file.sealed) {
                        var digest = ((MessageDigest) file.digest.clone()).digest();
                        seals.add(Chain.part(now(), file.name, file.sealed, file.size, digest));
                    }
                }
                chain.append(seals);
                for (var file : new Grown[] {grown, lines}) {
                    file.digest.reset();
                    file.sealed = file.size;
                }
                dirty = false;
            } finally {
                writing.unlock();
            }
            grown.channel.force(false);
            lines.channel.force(false);
            unsealed = false;
        } catch (IOException | CloneNotSupportedException | RuntimeException e) {
            if (!unsealed) {
                complain(e);
                unsealed = true;
            }
        }
    }

    /** True when the last line says that all was read. */
    private static boolean ended(Grown lines) throws IOException {
        var tail = ByteBuffer.allocate((int) Math.min(5, lines.size));
        lines.channel.read(tail, lines.size - tail.capacity());
        return new String(tail.array(), StandardCharsets.US_ASCII).equals(" end\n");
    }

    private static void wholeLines(Grown lines) throws IOException {
        var from = Math.max(0, lines.size - 4096);
        var tail = ByteBuffer.allocate((int) (lines.size - from));
        lines.channel.read(tail, from);
        var whole = from + new String(tail.array(), StandardCharsets.US_ASCII).lastIndexOf('\n') + 1;
        if (whole < lines.size) {
            lines.channel.truncate(whole);
            lines.size = whole;
        }
    }

    private void complain(Exception e) {
        var channel = errors;
        if (channel != null) {
            try {
                channel.write(ByteBuffer.wrap((now() + " " + e.getMessage() + "\n").getBytes(StandardCharsets.UTF_8)));
            } catch (IOException full) {
                // Nowhere to say it.
            }
        }
    }

    private long now() {
        return base + System.nanoTime() / 1000;
    }

    private void close() throws IOException {
        writing.lock();
        try {
            failing(false);
            if (held != null) {
                held.close();
            }
            for (var grown : new @Nullable Grown[] {raw, index}) {
                if (grown != null) {
                    grown.channel.close();
                }
            }
            raw = null;
            index = null;
            if (errors != null) {
                errors.close();
            }
        } finally {
            writing.unlock();
        }
    }
}
