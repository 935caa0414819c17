package dev.hydravisor.wire;

import java.nio.charset.StandardCharsets;

/**
 * One message between client and daemon: a type and its payload. On the wire: type (one byte), payload length (four bytes, big
 * endian), payload. The numbers never change, so that client and daemon of different versions can still say so.
 */
public record Frame(Type type, byte[] payload) {
    /** The largest payload either side accepts, in bytes. */
    public static final int MAX_PAYLOAD = 1 << 20;

    /** What a frame says; who sends it stands in front. */
    public enum Type {
        /** Client: who I am and what to do. The first frame of a connection; {@link Hello}. */
        HELLO(1),
        /** Client: bytes of standard input. An answer to {@link #READ}. */
        STDIN(2),
        /** Client: standard input has ended. An answer to {@link #READ}. */
        STDIN_END(3),
        /** Client: the window is now this wide and high; {@link Fields}. */
        RESIZE(4),
        /** Client: a signal arrived, by its name, such as {@code INT}. */
        SIGNAL(5),
        /** Client: the program of {@link #RUN} ended with this status. */
        RUN_EXIT(6),
        /** Client: instead of HELLO, {@code status} or {@code stop}. */
        CONTROL(7),
        /** Daemon: send one piece of standard input. The client reads none unasked, so it never takes what is not for us. */
        READ(65),
        /** Daemon: bytes for standard output. */
        STDOUT(66),
        /** Daemon: bytes for standard error. */
        STDERR(67),
        /** Daemon: put the terminal into {@code raw} mode (each key is sent, Ctrl-C too), or back to {@code cooked} mode. */
        TERMINAL(68),
        /** Daemon: run this argv on your own terminal, then tell {@link #RUN_EXIT}. */
        RUN(69),
        /** Daemon: exit with this status. The last frame. */
        EXIT(70),
        /** Daemon: I cannot serve you; a line that says why. The last frame. */
        REFUSED(71),
        /** Daemon: the answer to {@link #CONTROL}, as lines. */
        CONTROL_REPLY(72);

        private final int code;

        Type(int code) {
            this.code = code;
        }

        int code() {
            return code;
        }

        /** @throws WireException for a number that no type has */
        static Type of(int code) throws WireException {
            for (var type : values()) {
                if (type.code == code) {
                    return type;
                }
            }
            throw new WireException("unknown frame type " + code);
        }
    }

    public static Frame of(Type type) {
        return new Frame(type, new byte[0]);
    }

    public static Frame of(Type type, String text) {
        return new Frame(type, text.getBytes(StandardCharsets.UTF_8));
    }

    public static Frame of(Type type, byte[] bytes, int offset, int length) {
        var payload = new byte[length];
        System.arraycopy(bytes, offset, payload, 0, length);
        return new Frame(type, payload);
    }

    public String text() {
        return new String(payload, StandardCharsets.UTF_8);
    }
}
