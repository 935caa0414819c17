package dev.hydravisor.client;

import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.FrameChannel;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Standard input, read only when the daemon asks: what is typed ahead stays with the terminal for whoever reads next, and a loop
 * over lines keeps its input.
 */
final class Keyboard {
    private static final int CHUNK = 1 << 16;

    private final FrameChannel channel;
    private final boolean terminal;
    private @Nullable Thread reader;

    Keyboard(FrameChannel channel, boolean terminal) {
        this.channel = channel;
        this.terminal = terminal;
    }

    /** Reads one piece in the background and sends it; a second request while one is under way is the same one. */
    synchronized void wanted() {
        if (reader == null) {
            reader = Thread.ofPlatform().daemon().start(this::read);
        }
    }

    /** Gives the terminal up, to be read by another program. Returns whether a read was under way. */
    synchronized boolean suspend() {
        var thread = reader;
        if (thread == null || !terminal) {
            return false;
        }
        thread.interrupt();
        while (reader != null) {
            try {
                wait();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return true;
            }
        }
        return true;
    }

    private void read() {
        try {
            var bytes = ByteBuffer.allocate(CHUNK);
            var count = -1;
            try (var input = open()) {
                count = input.read(bytes);
            } catch (ClosedByInterruptException e) {
                return;
            } catch (IOException e) {
                // A terminal that is gone has ended.
            }
            send(count < 0 ? Frame.of(Frame.Type.STDIN_END) : Frame.of(Frame.Type.STDIN, bytes.array(), 0, count));
        } finally {
            ended();
        }
    }

    /** A terminal is opened apart: a read of it can then be given up, which closes what was read from. */
    private ReadableByteChannel open() throws IOException {
        if (terminal) {
            return FileChannel.open(Path.of("/proc/self/fd/0"), StandardOpenOption.READ);
        }
        var stdin = new FileInputStream(FileDescriptor.in);
        return new ReadableByteChannel() {
            @Override
            public int read(ByteBuffer into) throws IOException {
                var count = stdin.read(into.array(), into.position(), into.remaining());
                if (count > 0) {
                    into.position(into.position() + count);
                }
                return count;
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {
                // Standard input stays open.
            }
        };
    }

    private synchronized void ended() {
        if (reader == Thread.currentThread()) {
            reader = null;
            notifyAll();
        }
    }

    private void send(Frame frame) {
        // Before the frame goes out: the request it provokes must find this read ended.
        ended();
        try {
            channel.write(frame);
        } catch (IOException e) {
            // The side that reads frames sees the same, and says so.
        }
    }
}
