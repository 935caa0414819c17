package dev.hydravisor.audit;

import dev.hydravisor.host.PlainText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The trail in its file. */
final class Lines {
    /** More than any record can take. */
    private static final int LONGEST = 1 << 20;

    private Lines() {}

    /**
     * How a file ends.
     *
     * @param length of its whole lines, in bytes
     * @param torn the bytes behind them
     * @param text what those are, for a person to read
     * @param last its last record; null when there is none among its last lines
     */
    record Tail(
            long length, long torn, String text, @Nullable Entry last) {}

    /** Takes a line and its number, from 1. */
    @FunctionalInterface
    interface Reader {
        void line(long number, String line);
    }

    /** In bytes; 0 when there is no file. */
    static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            return 0;
        }
    }

    static Tail tail(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            return new Tail(0, 0, "", null); // what cannot be written is told by the one who writes
        }
        try (var in = new RandomAccessFile(file.toFile(), "r")) {
            var size = in.length();
            var bytes = new byte[(int) Math.min(size, LONGEST)];
            in.seek(size - bytes.length);
            in.readFully(bytes);
            var text = new String(bytes, StandardCharsets.ISO_8859_1);
            var end = text.lastIndexOf('\n') + 1;
            var torn = text.substring(end);
            Entry last = null;
            for (int from = end - 1; from > 0 && last == null; ) {
                var start = text.lastIndexOf('\n', from - 1) + 1;
                last = Entry.read(text.substring(start, from));
                from = start - 1;
            }
            return new Tail(
                    size - torn.length(),
                    torn.length(),
                    PlainText.safe(torn.substring(0, Math.min(torn.length(), 1000))),
                    last);
        }
    }

    /** Reads the whole lines; not one that is unfinished. */
    static void read(Path file, Reader reader) throws IOException {
        try (var in = Files.newInputStream(file);
                var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.ISO_8859_1))) {
            long number = 0;
            String line;
            while ((line = line(lines)) != null) {
                reader.line(++number, line);
            }
        } catch (NoSuchFileException e) {
            // No line.
        }
    }

    /** Up to the next newline and no further than a record could be; null where none follows. A carriage return ends no line. */
    private static @Nullable String line(BufferedReader in) throws IOException {
        var line = new StringBuilder();
        int c;
        while ((c = in.read()) >= 0 && c != '\n') {
            line.append((char) c);
            if (line.length() >= LONGEST) {
                break;
            }
        }
        return c < 0 ? null : line.toString();
    }
}
