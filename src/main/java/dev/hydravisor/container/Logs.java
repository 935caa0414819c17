package dev.hydravisor.container;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Reads the log of a container's main process, from its end where not all is wanted. */
final class Logs {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final int BLOCK = 1 << 16;

    private Logs() {}

    /**
     * Gives the entries of a log, the oldest first.
     *
     * @param file the log; what went before it is in the one of {@link #before}
     * @param tail how many of the last whole lines; negative for all
     * @param since only what was printed then or later; null for all
     * @param goesOn asked at the end of the log: whether to wait for more. It is read once more after the first no.
     */
    static void read(Path file, long tail, @Nullable Instant since, BooleanSupplier goesOn, Consumer<LogEntry> entries)
            throws InterruptedException {
        if (!Files.exists(file) && !goesOn.getAsBoolean()) {
            return;
        }
        while (!Files.exists(file)) {
            Thread.sleep(POLL);
            if (!goesOn.getAsBoolean() && !Files.exists(file)) {
                return;
            }
        }
        Consumer<LogEntry> wanted = entry -> {
            if (since == null || !entry.time().isBefore(since)) {
                entries.accept(entry);
            }
        };
        try {
            var whole = open(file);
            var parts = whole.parts();
            try {
                if (tail >= 0) {
                    seek(parts, tail);
                }
                var rest = new ByteArrayOutputStream();
                for (var part : parts) {
                    take(part, rest, wanted);
                }
                follow(file, parts.getLast(), whole.key(), rest, goesOn, wanted);
            } finally {
                for (var part : parts) {
                    part.close();
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read `" + file + "`", e);
        }
    }

    /** Where the entries are that a log had no more room for. */
    static Path before(Path log) {
        return log.resolveSibling(log.getFileName() + ".1");
    }

    /** A log's files, the older first, and which file the newer one is. */
    private record Whole(List<RandomAccessFile> parts, Object key) {}

    private static Whole open(Path file) throws IOException {
        while (true) {
            var key = key(file);
            var parts = new ArrayList<RandomAccessFile>();
            if (Files.exists(before(file))) {
                parts.add(new RandomAccessFile(before(file).toFile(), "r"));
            }
            parts.add(new RandomAccessFile(file.toFile(), "r"));
            if (key.equals(key(file))) {
                return new Whole(parts, key);
            }
            // It was moved away between the two.
            for (var part : parts) {
                part.close();
            }
        }
    }

    private static Object key(Path file) throws IOException {
        // It is not there for a moment while it is moved away.
        for (int i = 0; ; i++) {
            try {
                var key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
                return key == null ? file : key;
            } catch (NoSuchFileException e) {
                if (i == 100) {
                    throw e;
                }
                LockSupport.parkNanos(1_000_000);
            }
        }
    }

    /** Gives the entries that are there; what is left of the last one stays in {@code rest}. */
    private static boolean take(RandomAccessFile log, ByteArrayOutputStream rest, Consumer<LogEntry> entries)
            throws IOException {
        var block = new byte[BLOCK];
        var any = false;
        for (int n; (n = log.read(block)) > 0; any = true) {
            for (int i = 0; i < n; i++) {
                if (block[i] != '\n') {
                    rest.write(block[i]);
                    continue;
                }
                var entry = LogEntry.parse(rest.toString(StandardCharsets.UTF_8));
                rest.reset();
                entries.accept(entry);
            }
        }
        return any;
    }

    private static void follow(
            Path file,
            RandomAccessFile first,
            Object firstKey,
            ByteArrayOutputStream rest,
            BooleanSupplier goesOn,
            Consumer<LogEntry> entries)
            throws IOException, InterruptedException {
        var log = first;
        var key = firstKey;
        try {
            while (true) {
                var more = goesOn.getAsBoolean();
                if (more) {
                    Thread.sleep(POLL);
                }
                var now = Files.exists(file) ? key(file) : key;
                var any = take(log, rest, entries);
                if (!now.equals(key)) {
                    // It went on in a new file, and what was still written to the old one has been taken.
                    if (log != first) {
                        log.close();
                    }
                    do {
                        key = key(file);
                        log = new RandomAccessFile(file.toFile(), "r");
                        // Moved away between the two, it is opened once more.
                    } while (!key.equals(key(file)));
                    any |= take(log, rest, entries);
                }
                if (!any && !more) {
                    return;
                }
            }
        } finally {
            if (log != first) {
                log.close();
            }
        }
    }

    /** Goes to where the last {@code lines} whole lines begin. */
    private static void seek(List<RandomAccessFile> parts, long lines) throws IOException {
        long left = lines;
        for (var part : parts.reversed()) {
            if (left < 0) {
                part.seek(part.length());
            } else {
                left = seek(part, left);
            }
        }
    }

    /** As above, in one file; returns how many of the lines are not in it, or -1 when the first of them begins in it. */
    private static long seek(RandomAccessFile log, long lines) throws IOException {
        var block = new byte[BLOCK];
        long at = log.length();
        long left = lines;
        // The flag that says whether an entry ends its line comes after two words; entries are looked at from behind.
        var entry = new StringBuilder();
        while (at > 0) {
            int n = (int) Math.min(BLOCK, at);
            at -= n;
            log.seek(at);
            log.readFully(block, 0, n);
            for (int i = n - 1; i >= 0; i--) {
                if (block[i] == '\n') {
                    if (ends(entry) && left-- == 0) {
                        log.seek(at + i + 1 + entry.length() + 1);
                        return -1;
                    }
                    entry.setLength(0);
                } else {
                    entry.append((char) (block[i] & 0xff));
                }
            }
        }
        var found = ends(entry) && left-- == 0;
        log.seek(found ? entry.length() + 1L : 0);
        return left;
    }

    /** Of an entry read from behind: whether it ends its line. */
    private static boolean ends(StringBuilder reversed) {
        var words = new StringBuilder(reversed).reverse().toString().split(" ", 4);
        return words.length > 2 && words[2].equals("F");
    }
}
