package dev.hydravisor.host;

/**
 * Takes from foreign text, piece by piece as it streams, all that would steer a terminal: escape sequences (also one that is torn over
 * pieces), control characters other than newline and tab, and marks that reorder text. What is left is safe to print.
 */
public final class ForeignText {
    private enum State {
        TEXT,
        /** After ESC. */
        ESCAPE,
        /** After ESC and an intermediate character: one final character follows. */
        DESIGNATION,
        /** In a control sequence, up to its final character. */
        CONTROL,
        /** In a control string (a title, a clipboard, …), up to BEL or ST. */
        STRING,
        STRING_ESCAPE
    }

    private State state = State.TEXT;

    /** The whole of a text. */
    public static String plain(String text) {
        return new ForeignText().next(text);
    }

    /** What is safe of the next piece; possibly nothing yet. */
    public String next(String piece) {
        var plain = new StringBuilder(piece.length());
        for (int i = 0; i < piece.length(); i++) {
            take(piece.charAt(i), plain);
        }
        return plain.toString();
    }

    private void take(char c, StringBuilder plain) {
        // A sequence that is still open at the end of a line is none: an unfinished one must not swallow the rest of
        // the text.
        if (c == '\n') {
            state = State.TEXT;
        }
        switch (state) {
            case TEXT -> text(c, plain);
            case ESCAPE -> {
                if (c == '[') {
                    state = State.CONTROL;
                } else if ("]PX^_".indexOf(c) >= 0) {
                    state = State.STRING;
                } else if (c >= ' ' && c <= '/') {
                    state = State.DESIGNATION;
                } else {
                    restart(c, c >= '0' && c <= '~', plain);
                }
            }
            case DESIGNATION -> {
                if (c < ' ' || c > '/') {
                    restart(c, c >= '0' && c <= '~', plain);
                }
            }
            case CONTROL -> {
                if (c < ' ' || c > '?') {
                    restart(c, c >= '@' && c <= '~', plain);
                }
            }
            case STRING -> {
                if (c == '\u0007' || c == '\u009c') {
                    state = State.TEXT;
                } else if (c == '\u001b') {
                    state = State.STRING_ESCAPE;
                }
            }
            case STRING_ESCAPE -> {
                state = State.ESCAPE;
                if (c == '\\') {
                    state = State.TEXT;
                } else {
                    take(c, plain);
                }
            }
        }
    }

    /** Leaves a sequence: with its final character, or at one that cannot be part of it and so stands for itself. */
    private void restart(char c, boolean isFinal, StringBuilder plain) {
        state = State.TEXT;
        if (!isFinal) {
            text(c, plain);
        }
    }

    private void text(char c, StringBuilder plain) {
        switch (c) {
            case '\u001b' -> state = State.ESCAPE;
            case '\u009b' -> state = State.CONTROL;
            case '\u0090', '\u0098', '\u009d', '\u009e', '\u009f' -> state = State.STRING;
            case '\u2028', '\u2029' -> plain.append('\n');
            default -> {
                var reorders = (c >= '\u202a' && c <= '\u202e') || (c >= '\u2066' && c <= '\u2069');
                if (c == '\n' || c == '\t' || !(Character.isISOControl(c) || reorders)) {
                    plain.append(c);
                }
            }
        }
    }
}
