package dev.hydravisor.recording;

/**
 * How a character is drawn, as one number: the foreground's colour, the background's, and attributes. A colour is 0 for the terminal's
 * own, else its red, green and blue with a bit above.
 */
final class Look {
    static final long PLAIN = 0;
    static final long BOLD = 1L << 50;
    static final long DIM = 1L << 51;
    static final long ITALIC = 1L << 52;
    static final long UNDERLINE = 1L << 53;
    static final long INVERSE = 1L << 54;
    static final long HIDDEN = 1L << 55;
    static final long STRUCK = 1L << 56;

    private static final int COLOUR = 1 << 24;
    private static final long MASK = (1L << 25) - 1;

    /** xterm's sixteen. */
    private static final int[] BASIC = {
        0x000000, 0xCD3131, 0x0DBC79, 0xC5A332, 0x3B78D8, 0xBC3FBC, 0x11A8CD, 0xD0D0D0,
        0x666666, 0xF14C4C, 0x23D18B, 0xF5F543, 0x6CA6FF, 0xD670D6, 0x29B8DB, 0xFFFFFF
    };

    private Look() {}

    /** 0 for the terminal's own, else red, green and blue with a bit above. */
    static int foreground(long look) {
        return (int) (look & MASK);
    }

    /** As {@link #foreground}. */
    static int background(long look) {
        return (int) (look >> 25 & MASK);
    }

    /** The background alone: what is erased gets it. */
    static long backgroundOf(long look) {
        return look & MASK << 25;
    }

    private static long withForeground(long look, int colour) {
        return look & ~MASK | colour;
    }

    private static long withBackground(long look, int colour) {
        return look & ~(MASK << 25) | (long) colour << 25;
    }

    /** A look changed by SGR with these parameters; what it does not know changes nothing. */
    static long sgr(long look, String params) {
        var p = params.split(";", -1);
        for (int i = 0; i < p.length; i++) {
            var sub = p[i].split(":", -1);
            var code = number(sub[0]);
            switch (code) {
                case 0 -> look = PLAIN;
                case 1 -> look |= BOLD;
                case 2 -> look |= DIM;
                case 3 -> look |= ITALIC;
                case 4 -> look = sub.length > 1 && number(sub[1]) == 0 ? look & ~UNDERLINE : look | UNDERLINE;
                case 7 -> look |= INVERSE;
                case 8 -> look |= HIDDEN;
                case 9 -> look |= STRUCK;
                case 21 -> look |= UNDERLINE;
                case 22 -> look &= ~(BOLD | DIM);
                case 23 -> look &= ~ITALIC;
                case 24 -> look &= ~UNDERLINE;
                case 27 -> look &= ~INVERSE;
                case 28 -> look &= ~HIDDEN;
                case 29 -> look &= ~STRUCK;
                case 39 -> look = withForeground(look, 0);
                case 49 -> look = withBackground(look, 0);
                case 38, 48, 58 -> {
                    var colour = 0;
                    if (sub.length > 1) {
                        colour = colour(sub, 1);
                    } else {
                        colour = colour(p, i + 1);
                        i += i + 1 < p.length && number(p[i + 1]) == 2 ? 4 : 2;
                    }
                    if (colour != 0) {
                        look = code == 38
                                ? withForeground(look, colour)
                                : code == 48 ? withBackground(look, colour) : look;
                    }
                }
                default -> {
                    if (code >= 30 && code < 38) {
                        look = withForeground(look, palette(code - 30));
                    } else if (code >= 90 && code < 98) {
                        look = withForeground(look, palette(code - 82));
                    } else if (code >= 40 && code < 48) {
                        look = withBackground(look, palette(code - 40));
                    } else if (code >= 100 && code < 108) {
                        look = withBackground(look, palette(code - 92));
                    }
                }
            }
        }
        return look;
    }

    /** {@code 5, index} or {@code 2, red, green, blue}, those three the last where a colour space stands before them; 0 for none. */
    private static int colour(String[] p, int at) {
        var kind = at < p.length ? number(p[at]) : -1;
        if (kind == 5 && at + 1 < p.length) {
            return palette(number(p[at + 1]));
        }
        var first = at == 1 && p.length > 5 ? 3 : at + 1;
        if (kind != 2 || first + 2 >= p.length) {
            return 0;
        }
        var rgb = 0;
        for (int i = first; i < first + 3; i++) {
            rgb = rgb << 8 | Math.min(255, Math.max(0, number(p[i])));
        }
        return COLOUR | rgb;
    }

    private static int palette(int index) {
        if (index < 0 || index > 255) {
            return 0;
        }
        if (index < 16) {
            return COLOUR | BASIC[index];
        }
        if (index >= 232) {
            var grey = 8 + (index - 232) * 10;
            return COLOUR | grey << 16 | grey << 8 | grey;
        }
        var cube = index - 16;
        return COLOUR | step(cube / 36) << 16 | step(cube / 6 % 6) << 8 | step(cube % 6);
    }

    private static int step(int sixth) {
        return sixth == 0 ? 0 : 55 + sixth * 40;
    }

    /** -1 for no number. */
    private static int number(String text) {
        if (text.isEmpty()) {
            return 0;
        }
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
