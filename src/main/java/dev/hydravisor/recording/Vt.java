package dev.hydravisor.recording;

/** Splits terminal output into characters, controls and escape sequences (ECMA-48, as xterm and tmux read it), however it is cut up. */
final class Vt {
    /** Takes the parts in order. */
    interface Handler {
        void print(int codePoint);

        /** A C0 control. */
        void control(char c);

        /** {@code ESC} with perhaps intermediate characters, such as {@code (0} or {@code M}. */
        void escape(String sequence);

        /**
         * A control sequence.
         *
         * @param params all between {@code ESC [} and the final character: prefix, numbers, intermediates
         */
        void csi(String params, char end);

        /**
         * A control string, whole.
         *
         * @param kind its introducer after {@code ESC}: {@code ]} OSC, {@code P} DCS, {@code X} SOS, {@code ^} PM, {@code _} APC,
         *     {@code k} screen's title
         */
        void string(char kind, String body);
    }

    /** A string longer than this is dropped, as terminals do. */
    private static final int LIMIT = 1 << 16;

    private enum State {
        GROUND,
        ESCAPE,
        CSI,
        STRING,
        STRING_ESCAPE
    }

    /** Where in a device control string it is: as tmux has it, once its body has begun nothing but {@code ESC \\} ends it. */
    private enum Dcs {
        START,
        PARAMETERS,
        INTERMEDIATES,
        IGNORED,
        BODY;

        Dcs after(int c) {
            if (this == BODY || this == IGNORED || c < 0x20 || c > 0x7E) {
                return this;
            }
            if (c >= 0x40) {
                return BODY;
            }
            if (c < 0x30) {
                return INTERMEDIATES;
            }
            return this == INTERMEDIATES || c == ':' || this == PARAMETERS && c > ';' ? IGNORED : PARAMETERS;
        }
    }

    private final Handler handler;
    private final StringBuilder collected = new StringBuilder();
    private State state = State.GROUND;
    private char kind;
    private Dcs dcs = Dcs.START;

    Vt(Handler handler) {
        this.handler = handler;
    }

    void feed(String text) {
        for (int i = 0; i < text.length(); ) {
            var c = text.codePointAt(i);
            i += Character.charCount(c);
            take(c);
        }
    }

    /** True in the middle of a sequence. */
    boolean open() {
        return state != State.GROUND;
    }

    private void take(int c) {
        var body = kind == 'P' && dcs == Dcs.BODY && (state == State.STRING || state == State.STRING_ESCAPE);
        if ((c == 0x18 || c == 0x1A) && !body) {
            state = State.GROUND;
            handler.control((char) c);
            return;
        }
        switch (state) {
            case GROUND -> {
                if (c == 0x1B) {
                    begin(State.ESCAPE);
                } else if (c < 0x20 || c == 0x7F) {
                    handler.control((char) c);
                } else if (c < 0x80 || c > 0x9F) {
                    handler.print(c);
                }
            }
            case ESCAPE -> escape(c);
            case CSI -> {
                if (c == 0x1B) {
                    begin(State.ESCAPE);
                } else if (c < 0x20) {
                    handler.control((char) c);
                } else if (c < 0x40) {
                    collect(c);
                } else if (c < 0x7F) {
                    state = State.GROUND;
                    handler.csi(collected.toString(), (char) c);
                }
            }
            case STRING -> {
                if (c == 0x1B) {
                    state = State.STRING_ESCAPE;
                } else if (c == 0x07 && kind == ']') {
                    endString();
                } else {
                    dcs = dcs.after(c);
                    collect(c);
                }
            }
            case STRING_ESCAPE -> {
                if (body && c != '\\') {
                    state = State.STRING;
                    return;
                }
                endString();
                if (c != '\\') {
                    begin(State.ESCAPE);
                    escape(c);
                }
            }
        }
    }

    private void escape(int c) {
        if (c == 0x1B) {
            begin(State.ESCAPE);
        } else if (c < 0x20) {
            handler.control((char) c);
        } else if (c < 0x30) {
            collect(c);
        } else if (c < 0x7F && collected.isEmpty() && c == '[') {
            begin(State.CSI);
        } else if (c < 0x7F && collected.isEmpty() && "]PX^_k".indexOf(c) >= 0) {
            kind = (char) c;
            dcs = Dcs.START;
            begin(State.STRING);
        } else if (c < 0x7F) {
            state = State.GROUND;
            handler.escape(collected.append((char) c).toString());
        } else {
            state = State.GROUND;
        }
    }

    private void begin(State next) {
        collected.setLength(0);
        state = next;
    }

    private void collect(int c) {
        if (collected.length() <= LIMIT) {
            collected.appendCodePoint(c);
        }
    }

    private void endString() {
        state = State.GROUND;
        if (collected.length() <= LIMIT) {
            handler.string(kind, collected.toString());
        }
    }
}
