package dev.hydravisor.wire;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/**
 * Frames over a connected socket. One thread may read while others write; a frame is written whole. A thread interrupted in here
 * closes the channel, as with every NIO channel: let threads that may be interrupted hand their frames to one that is not.
 */
public final class FrameChannel implements AutoCloseable {
    private static final int HEADER = 5;

    private final SocketChannel channel;
    private final ByteBuffer in = ByteBuffer.allocate(1 << 16).flip();
    private final Object writing = new Object();

    public FrameChannel(SocketChannel channel) {
        this.channel = channel;
    }

    /**
     * Waits for the next frame.
     *
     * @throws EOFException when the other side has gone
     * @throws WireException when it does not speak the protocol
     */
    public Frame read() throws IOException {
        fill(HEADER);
        var type = Frame.Type.of(in.get() & 0xff);
        var length = in.getInt();
        if (length < 0 || length > Frame.MAX_PAYLOAD) {
            throw new WireException("frame of " + length + " bytes");
        }
        var payload = new byte[length];
        var have = Math.min(length, in.remaining());
        in.get(payload, 0, have);
        var rest = ByteBuffer.wrap(payload, have, length - have);
        while (rest.hasRemaining()) {
            if (channel.read(rest) < 0) {
                throw new EOFException();
            }
        }
        return new Frame(type, payload);
    }

    public void write(Frame frame) throws IOException {
        var bytes = ByteBuffer.allocate(HEADER + frame.payload().length);
        bytes.put((byte) frame.type().code())
                .putInt(frame.payload().length)
                .put(frame.payload())
                .flip();
        synchronized (writing) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // It is closed for us all the same.
        }
    }

    private void fill(int wanted) throws IOException {
        if (in.remaining() >= wanted) {
            return;
        }
        in.compact();
        while (in.position() < wanted) {
            if (channel.read(in) < 0) {
                throw new EOFException();
            }
        }
        in.flip();
    }
}
