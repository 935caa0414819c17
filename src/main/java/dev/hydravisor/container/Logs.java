package dev.hydravisor.container;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
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
        try (var log = new RandomAccessFile(file.toFile(), "r")) {
            log.seek(tail < 0 ? 0 : start(log, tail));
            var rest = new ByteArrayOutputStream();
            var block = new byte[BLOCK];
            var more = true;
            while (true) {
                int n = log.read(block);
                for (int i = 0; i < n; i++) {
                    if (block[i] != '\n') {
                        rest.write(block[i]);
                        continue;
                    }
                    var entry = LogEntry.parse(rest.toString(StandardCharsets.UTF_8));
                    rest.reset();
                    if (since == null || !entry.time().isBefore(since)) {
                        entries.accept(entry);
                    }
                }
                if (n <= 0) {
                    if (!more) {
                        return;
                    }
                    more = goesOn.getAsBoolean();
                    if (more) {
                        Thread.sleep(POLL);
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read `" + file + "`", e);
        }
    }

    /** Where the last {@code lines} whole lines begin. */
    private static long start(RandomAccessFile log, long lines) throws IOException {
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
                        return at + i + 1 + entry.length() + 1;
                    }
                    entry.setLength(0);
                } else {
                    entry.append((char) (block[i] & 0xff));
                }
            }
        }
        return ends(entry) && left == 0 ? entry.length() + 1L : 0;
    }

    /** Of an entry read from behind: whether it ends its line. */
    private static boolean ends(StringBuilder reversed) {
        var words = new StringBuilder(reversed).reverse().toString().split(" ", 4);
        return words.length > 2 && words[2].equals("F");
    }
}
