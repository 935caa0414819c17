package dev.hydravisor.daemon;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jline.utils.NonBlockingInputStream;

/**
 * A client's standard input: a piece is asked for when a reader waits and nothing is there, and no sooner; except in raw mode, where keys
 * are ours in any case, and Ctrl-C must be seen while nobody reads.
 */
final class RelayInput extends NonBlockingInputStream {
    /** Keys taken ahead of their reader, in bytes. */
    private static final int MAX_AHEAD = 1 << 20;

    private final Runnable ask;
    private final Deque<byte[]> pieces = new ArrayDeque<>();
    private int at;
    private boolean asked;
    private boolean ahead;
    private boolean ended;
    private int queued;

    RelayInput(Runnable ask) {
        this.ask = ask;
    }

    /** A piece came in. */
    synchronized void received(byte[] bytes) {
        asked = false;
        if (bytes.length > 0) {
            pieces.add(bytes);
            queued += bytes.length;
        }
        if (ahead && queued < MAX_AHEAD) {
            ask();
        }
        notifyAll();
    }

    /** Whether to ask before a reader waits. */
    synchronized void ahead(boolean wanted) {
        ahead = wanted;
        if (ahead) {
            ask();
        }
    }

    /** Drops what was received and not yet read. */
    synchronized void clear() {
        pieces.clear();
        queued = 0;
        at = 0;
    }

    private void ask() {
        if (!asked) {
            asked = true;
            ask.run();
        }
    }

    /** No more will come. On a terminal that is one Ctrl-D: a later read asks again. */
    synchronized void end() {
        asked = false;
        ended = true;
        notifyAll();
    }

    @Override
    public synchronized int read(long timeout, boolean isPeek) throws IOException {
        var have = await(timeout);
        if (have < 0) {
            return have;
        }
        var piece = pieces.getFirst();
        var value = piece[at] & 0xff;
        if (!isPeek) {
            advance(1);
        }
        return value;
    }

    @Override
    public synchronized int readBuffered(byte[] into, int offset, int length, long timeout) throws IOException {
        return readPiece(into, offset, length, timeout);
    }

    @Override
    public synchronized int read(byte[] into, int offset, int length) throws IOException {
        return readPiece(into, offset, length, 0);
    }

    private int readPiece(byte[] into, int offset, int length, long timeout) throws IOException {
        if (length == 0) {
            return 0;
        }
        var have = await(timeout);
        if (have < 0) {
            return have;
        }
        var count = Math.min(length, have);
        System.arraycopy(pieces.getFirst(), at, into, offset, count);
        advance(count);
        return count;
    }

    /** Waits for bytes, forever for a timeout of 0 (milliseconds). Returns how many are there, EOF or READ_EXPIRED. */
    private int await(long timeout) throws InterruptedIOException {
        var deadline = System.nanoTime() + timeout * 1_000_000;
        while (pieces.isEmpty()) {
            if (ended) {
                ended = false;
                return EOF;
            }
            ask();
            var left = timeout <= 0 ? 0 : (deadline - System.nanoTime()) / 1_000_000;
            if (timeout < 0 || (timeout > 0 && left <= 0)) {
                return READ_EXPIRED;
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                // The exception alone says it: a flag left set would end every later read too.
                throw new InterruptedIOException();
            }
        }
        // What was typed behind a Ctrl-C must not be read before that is heard.
        if (Thread.interrupted()) {
            throw new InterruptedIOException();
        }
        return pieces.getFirst().length - at;
    }

    private void advance(int count) {
        at += count;
        queued -= count;
        if (at == pieces.getFirst().length) {
            pieces.removeFirst();
            at = 0;
        }
    }
}
