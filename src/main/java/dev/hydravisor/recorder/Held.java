package dev.hydravisor.recorder;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a recorder has read and not written yet, in memory that outlives it: secrets are held back until they are known, and must
 * neither reach the disk nor be lost with the process. A file of {@code /dev/shm}: 8 bytes say for which offset of terminal.raw the
 * content is, 4 how much it is. What terminal.raw holds already is skipped, so nothing need be removed in step with it.
 */
final class Held implements AutoCloseable {
    private static final Path MEMORY = Path.of("/dev/shm");
    private static final int HEADER = 12;
    private static final int MOST = 1 << 20;

    private final Path file;
    private final FileChannel channel;
    private long offset;
    private int length;

    private Held(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** @return null where there is no such memory that is ours alone */
    static @Nullable Held open(String name) {
        try {
            var uid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            var folder = MEMORY.resolve("hydra-" + uid);
            var ownerOnly = PosixFilePermissions.fromString("rwx------");
            try {
                Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(ownerOnly));
            } catch (FileAlreadyExistsException e) {
                var there = Files.readAttributes(
                        folder, java.nio.file.attribute.PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                var owner = (int) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
                if (!there.isDirectory() || owner != uid || !there.permissions().equals(ownerOnly)) {
                    return null;
                }
            }
            var file = folder.resolve(name);
            return new Held(
                    file,
                    FileChannel.open(
                            file,
                            Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)));
        } catch (IOException | UnsupportedOperationException e) {
            return null;
        }
    }

    /** What a recorder before this one had read and not written, now that terminal.raw has so many bytes. */
    byte[] rest(long written) throws IOException {
        var header = ByteBuffer.allocate(HEADER);
        while (header.hasRemaining() && channel.read(header, header.position()) >= 0) {}
        if (header.hasRemaining()) {
            return new byte[0];
        }
        offset = header.getLong(0);
        length = header.getInt(8);
        var done = written - offset;
        if (done < 0 || done >= length || length > MOST) {
            length = 0;
            return new byte[0];
        }
        var rest = ByteBuffer.allocate((int) (length - done));
        while (rest.hasRemaining() && channel.read(rest, HEADER + done + rest.position()) >= 0) {}
        return rest.array();
    }

    /**
     * Keeps what was just read.
     *
     * @param written how many bytes terminal.raw has
     * @param held how many of those kept before are not written yet
     */
    void keep(byte[] bytes, int count, long written, int held) throws IOException {
        if (held == 0 || length + count > MOST) {
            length = 0;
            offset = written + held;
        }
        write(ByteBuffer.wrap(bytes, 0, count), HEADER + length);
        length += count;
        write(ByteBuffer.allocate(HEADER).putLong(offset).putInt(length).flip(), 0);
    }

    private void write(ByteBuffer bytes, long at) throws IOException {
        var start = bytes.position();
        while (bytes.hasRemaining()) {
            channel.write(bytes, at + bytes.position() - start);
        }
    }

    /** Everything is written: forgets it. */
    @Override
    public void close() throws IOException {
        channel.close();
        Files.deleteIfExists(file);
    }
}
