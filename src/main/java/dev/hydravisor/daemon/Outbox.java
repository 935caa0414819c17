package dev.hydravisor.daemon;

import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.FrameChannel;
import java.io.IOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * The frames on their way to one client, written by a thread of its own: the threads of commands get interrupted, and an interrupted
 * write would close the connection. A slow client slows its command, and nothing else.
 */
final class Outbox {
    private static final int CAPACITY = 64;

    private final BlockingQueue<Frame> frames = new ArrayBlockingQueue<>(CAPACITY);
    private final FrameChannel channel;
    private volatile boolean gone;

    Outbox(FrameChannel channel) {
        this.channel = channel;
    }

    /** Queues a frame, waiting for room, interrupted or not; dropped once the client is gone. */
    void put(Frame frame) {
        var interrupted = false;
        while (!gone) {
            try {
                if (frames.offer(frame, 200, java.util.concurrent.TimeUnit.MILLISECONDS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes frames until one that ends the connection, or until the client is gone. */
    void drain() {
        try {
            while (true) {
                var frame = frames.take();
                channel.write(frame);
                if (frame.type() == Frame.Type.EXIT) {
                    return;
                }
            }
        } catch (IOException | InterruptedException e) {
            // Nobody is there to be told.
        } finally {
            gone = true;
        }
    }
}
