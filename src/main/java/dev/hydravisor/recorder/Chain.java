package dev.hydravisor.recorder;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A file of lines of which each carries a digest of itself and all before it, so that none can be changed, removed or moved
 * unnoticed. Several processes may append; a line is there whole or not at all.
 */
public final class Chain {
    private final Path file;
    private final String seed;
    private @Nullable String last;
    private long size = -1;

    /** @param seed what the first line's digest begins with: the name of what the chain is of */
    public Chain(Path file, String seed) {
        this.file = file;
        this.seed = seed;
    }

    /**
     * Appends lines in one write. They are not seen to the disk.
     *
     * @return the digest of the last
     */
    public synchronized String append(List<String> lines) throws IOException {
        // Within a process one at a time; the file's lock is for other processes.
        synchronized (Chain.class) {
            try (var channel = FileChannel.open(
                            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
                    var _ = channel.lock()) {
                if (last == null || channel.size() != size) {
                    resume(channel);
                }
                var before = last == null ? seed : last;
                var text = new StringBuilder();
                for (var line : lines) {
                    before = link(before, line);
                    text.append(line).append(' ').append(before).append('\n');
                }
                var bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
                var start = size;
                try {
                    while (bytes.hasRemaining()) {
                        channel.write(bytes, start + bytes.position());
                    }
                } catch (IOException e) {
                    channel.truncate(start);
                    throw e;
                }
                size = start + bytes.position();
                last = before;
                return before;
            }
        }
    }

    /** Goes on after the last whole line. */
    private void resume(FileChannel channel) throws IOException {
        size = channel.size();
        last = null;
        var from = Math.max(0, size - 4096);
        var block = ByteBuffer.allocate((int) (size - from));
        while (block.hasRemaining() && channel.read(block, from + block.position()) >= 0) {}
        var text = new String(block.array(), StandardCharsets.ISO_8859_1);
        var whole = text.lastIndexOf('\n') + 1;
        if (from + whole < size) {
            size = from + whole;
            channel.truncate(size);
        }
        if (whole > 0) {
            var line = text.substring(text.lastIndexOf('\n', whole - 2) + 1, whole - 1);
            last = line.substring(line.lastIndexOf(' ') + 1);
        }
    }

    /** The last line, without its digest; null when there is none. */
    public synchronized @Nullable String lastLine() throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            var from = Math.max(0, channel.size() - 4096);
            var block = ByteBuffer.allocate((int) (channel.size() - from));
            while (block.hasRemaining() && channel.read(block, from + block.position()) >= 0) {}
            var text = new String(block.array(), StandardCharsets.ISO_8859_1);
            var whole = text.lastIndexOf('\n');
            if (whole < 0) {
                return null;
            }
            var line = text.substring(text.lastIndexOf('\n', whole - 1) + 1, whole);
            return line.substring(0, Math.max(0, line.lastIndexOf(' ')));
        }
    }

    /** What was read of a chain: the lines that hold, without their digests, the last digest, and what is wrong; null for nothing. */
    public record Read(
            List<String> lines, String last, @Nullable String problem) {}

    /** Reads the chain and checks it. Half a line at its end is none. */
    public Read read() throws IOException {
        var lines = new ArrayList<String>();
        var before = seed;
        if (Files.exists(file)) {
            var text = Files.readString(file, StandardCharsets.UTF_8);
            for (var line :
                    text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
                var blank = line.lastIndexOf(' ');
                var body = blank < 0 ? "" : line.substring(0, blank);
                var digest = link(before, body);
                if (!digest.equals(line.substring(blank + 1))) {
                    return new Read(lines, before, file.getFileName() + " was changed at line " + (lines.size() + 1));
                }
                lines.add(body);
                before = digest;
            }
        }
        return new Read(lines, before, null);
    }

    private static String link(String before, String line) {
        return hex(sha256().digest((before + " " + line).getBytes(StandardCharsets.UTF_8)));
    }

    /** A line of a manifest: a part of a file, from one offset to another, has this digest. */
    public static String part(long micros, String name, long from, long to, byte[] digest) {
        return micros + " " + name + " " + from + " " + to + " " + hex(digest);
    }

    public static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    public static String hex(byte[] digest) {
        return HexFormat.of().formatHex(digest);
    }
}
