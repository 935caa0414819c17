package dev.hydravisor.image.registry;

import dev.hydravisor.image.Descriptor;
import dev.hydravisor.operation.HydraException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A blob as it arrives. When the connection breaks or nothing comes for too long, it goes on where it was, over a new connection; the
 * reader only notices that it takes longer.
 */
final class ResumingStream extends InputStream {
    private final Repository repository;
    private final Descriptor blob;
    private final Thread watchdog;
    private volatile @Nullable InputStream body;
    /** When the read that is running began; 0 while none is. */
    private volatile long readingSince;

    private volatile boolean closed;
    private long position;
    private int failures;

    ResumingStream(Repository repository, Descriptor blob) {
        this.repository = repository;
        this.blob = blob;
        // A read has no time limit of its own; closing the body ends it.
        watchdog = Thread.ofVirtual().start(this::watch);
    }

    @Override
    public int read() throws IOException {
        var one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, buffer.length);
        if (length == 0) {
            return 0;
        }
        while (true) {
            try {
                var read = next(buffer, offset, length);
                if (read > 0) {
                    position += read;
                    failures = 0;
                    if (position > blob.size()) {
                        throw HydraException.failed(
                                "layer `" + blob.shortDigest() + "` is longer than the manifest says (" + blob.size()
                                        + " bytes); do not use this image");
                    }
                    return read;
                }
                if (position == blob.size()) {
                    return -1;
                }
                throw new EOFException("it broke off after " + position + " of " + blob.size() + " bytes");
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw HydraException.interrupted();
            } catch (IOException e) {
                again(e);
            }
        }
    }

    @Override
    public void close() throws IOException {
        closed = true;
        watchdog.interrupt();
        drop();
    }

    private int next(byte[] buffer, int offset, int length) throws IOException, InterruptedException {
        var from = body;
        if (from == null) {
            from = connect();
            body = from;
        }
        readingSince = System.nanoTime();
        try {
            return from.read(buffer, offset, length);
        } finally {
            readingSince = 0;
        }
    }

    private InputStream connect() throws IOException, InterruptedException {
        if (position == blob.size() && position > 0) {
            return InputStream.nullInputStream();
        }
        var response = repository.blob(blob, position);
        var stream = response.body();
        if (response.statusCode() == 200) {
            stream.skipNBytes(position);
        } else if (!response.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + position + "-")) {
            stream.close();
            throw new IOException("the registry sends another part than it was asked for");
        }
        return stream;
    }

    private void again(IOException e) throws IOException {
        drop();
        if (Thread.currentThread().isInterrupted() || closed) {
            throw HydraException.interrupted();
        }
        if (++failures >= Repository.FAILURES) {
            throw repository.unreachable(e);
        }
        try {
            Thread.sleep(Repository.pause(failures, e));
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private void drop() throws IOException {
        var stream = body;
        body = null;
        if (stream != null) {
            stream.close();
        }
    }

    private void watch() {
        var limit = repository.stallTimeout();
        try {
            while (!closed) {
                Thread.sleep(Math.max(50, limit.toMillis() / 10));
                var since = readingSince;
                var stream = body;
                if (since != 0 && stream != null && System.nanoTime() - since > limit.toNanos()) {
                    stream.close();
                }
            }
        } catch (InterruptedException | IOException e) {
            // It was closed, and so is this.
        }
    }
}
