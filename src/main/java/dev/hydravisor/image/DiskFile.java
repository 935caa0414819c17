package dev.hydravisor.image;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * A file that says it is a disk image, looked at without trust: an image may name other files of this host to be read, so only
 * those that stand alone are let in.
 *
 * @param format {@code qcow2} or {@code raw}
 * @param virtualSize bytes the guest sees
 */
record DiskFile(String format, long virtualSize) {
    private static final int QCOW2_MAGIC = 0x514649fb;
    private static final long DIRTY_OR_CORRUPT = 0b11;
    private static final long EXTERNAL_DATA = 0b100;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final JsonMapper JSON = new JsonMapper();

    /**
     * Looks at a file.
     *
     * @param shown how the user named it
     * @throws HydraException NOT_FOUND when there is no such file; FAILED when it is no image that may be used
     */
    static DiskFile inspect(Path file, String shown) {
        if (!Files.exists(file)) {
            throw HydraException.notFound("file `" + shown + "` does not exist; check the path");
        }
        if (!Files.isRegularFile(file)) {
            throw refused(shown, "is no disk image: it is no regular file");
        }
        var header = header(file, shown);
        if (header.remaining() >= 72 && header.getInt(0) == QCOW2_MAGIC) {
            checkQcow2(header, shown);
            var check = Processes.run(LIMIT, List.of("qemu-img", "check", "-q", "-f", "qcow2", file.toString()));
            // 3 says that some space in it is wasted, which harms nobody.
            if (!check.ok() && check.status() != 3) {
                throw refused(shown, "is damaged: " + check.reason());
            }
            return new DiskFile("qcow2", virtualSize(file, "qcow2", shown));
        }
        if (header.remaining() >= 512 && header.getShort(510) == 0x55AA) {
            return new DiskFile("raw", virtualSize(file, "raw", shown));
        }
        throw HydraException.failed(
                "`" + shown
                        + "` is no disk image: neither qcow2 nor a raw disk with a boot sector; convert others with `qemu-img convert -O qcow2`");
    }

    private static void checkQcow2(ByteBuffer header, String shown) {
        var version = header.getInt(4);
        if (version != 2 && version != 3) {
            throw refused(shown, "is a qcow2 image of version " + version + ", which is unknown");
        }
        if (header.getLong(8) != 0) {
            throw HydraException.failed("`" + shown
                    + "` is based on another file; make it whole with `qemu-img convert -O qcow2` and import that");
        }
        if (header.getInt(32) != 0) {
            throw HydraException.failed(
                    "`" + shown + "` is encrypted; decrypt it with `qemu-img convert` and import that");
        }
        if (version == 3 && header.remaining() >= 80) {
            var features = header.getLong(72);
            if ((features & EXTERNAL_DATA) != 0) {
                throw HydraException.failed(
                        "`" + shown
                                + "` keeps its data in another file; make it whole with `qemu-img convert -O qcow2` and import that");
            }
            if ((features & DIRTY_OR_CORRUPT) != 0) {
                throw HydraException.failed(
                        "`" + shown + "` was not closed cleanly; repair it with `qemu-img check -r all`");
            }
        }
    }

    private static long virtualSize(Path file, String format, String shown) {
        var info = Processes.run(LIMIT, List.of("qemu-img", "info", "--output=json", "-f", format, file.toString()));
        if (!info.ok()) {
            throw refused(shown, "is no disk image that QEMU can read: " + info.reason());
        }
        try {
            var size = JSON.readTree(info.out()).path("virtual-size").asLong(0);
            if (size > 0) {
                return size;
            }
        } catch (JacksonException e) {
            // said below
        }
        throw refused(shown, "is no disk image: it is empty");
    }

    private static ByteBuffer header(Path file, String shown) {
        try (var in = FileChannel.open(file, StandardOpenOption.READ)) {
            var header = ByteBuffer.allocate(512);
            while (header.hasRemaining() && in.read(header) >= 0) {
                // until it is full or the file ends
            }
            return header.flip();
        } catch (IOException e) {
            throw unreadable(shown, e);
        }
    }

    /** The SHA-256 of a file in lower-case hex, its progress told to the operation. */
    static String sha256(Operation operation, Path file, String shown) {
        return digest(operation, file, shown, "SHA-256");
    }

    static String digest(Operation operation, Path file, String shown, String algorithm) {
        var digest = newDigest(algorithm);
        try (var in = Files.newInputStream(file)) {
            var total = Files.size(file);
            var buffer = new byte[1 << 20];
            long done = 0;
            int read;
            while ((read = in.read(buffer)) >= 0) {
                digest.update(buffer, 0, read);
                done += read;
                operation.progress(done, total, "bytes");
                if (Thread.currentThread().isInterrupted()) {
                    throw HydraException.interrupted();
                }
            }
        } catch (IOException e) {
            throw unreadable(shown, e);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    static MessageDigest newDigest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static InputStream open(Path file, String shown) {
        try {
            return Files.newInputStream(file);
        } catch (IOException e) {
            throw unreadable(shown, e);
        }
    }

    private static HydraException unreadable(String shown, IOException e) {
        var why =
                e instanceof java.nio.file.AccessDeniedException ? "permission denied" : String.valueOf(e.getMessage());
        return HydraException.failed("`" + shown + "` cannot be read (" + why + "); check its permissions", e);
    }

    private static HydraException refused(String shown, String what) {
        return HydraException.failed("`" + shown + "` " + what + "; get a good copy and import that");
    }
}
