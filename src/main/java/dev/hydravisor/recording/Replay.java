package dev.hydravisor.recording;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.Writer;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Plays a recording to a terminal in its own time. What draws is passed on as it was; what would make the terminal answer, type,
 * or change anything but its screen (queries, mouse and paste modes, the clipboard, the window's title) is left out, for the bytes
 * are a guest's and the terminal is the user's.
 */
public final class Replay {
    /**
     * How to play.
     *
     * @param speed times as fast as it was, more than 0; infinite for at once
     * @param idleLimit the longest pause of the recording that is kept, before it is divided by the speed; null for all
     */
    public record Options(double speed, @Nullable Duration idleLimit) {
        public Options {
            if (!(speed > 0)) {
                throw HydraException.usage("a replay's speed is more than 0, such as 2 or 0.5");
            }
            if (idleLimit != null && idleLimit.isNegative()) {
                throw HydraException.usage("a replay's idle limit is 0 or more, such as `1s`");
            }
        }

        /** How long to wait for an event so many microseconds after the one before, in nanoseconds. */
        long pause(long micros) {
            var kept = idleLimit == null ? micros : Math.min(micros, idleLimit.toNanos() / 1000);
            return (long) (kept * 1000 / speed);
        }
    }

    private Replay() {}

    /**
     * Plays to the end, or until the thread is interrupted, and leaves the terminal as it found it.
     *
     * @throws HydraException INTERRUPTED when interrupted
     */
    static void play(Archive archive, Options options, Writer out) throws IOException {
        var filter = new Filter();
        var before = new long[1];
        // Pauses are kept to a schedule, so that what writing costs is not added to each.
        var due = new long[] {System.nanoTime()};
        try {
            Events.read(archive, (micros, code, data) -> {
                if (code != 'o') {
                    return;
                }
                var pause = options.pause(Math.max(0, micros - before[0]));
                before[0] = Math.max(before[0], micros);
                due[0] += pause;
                var wait = due[0] - System.nanoTime();
                if (wait > 0) {
                    out.flush();
                    Thread.sleep(Duration.ofNanos(wait));
                } else if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                out.write(filter.pass(data));
            });
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } finally {
            out.write(filter.restore());
            out.flush();
        }
    }

    /** Passes on what draws, and knows what must be undone at the end. */
    static final class Filter implements Vt.Handler {
        /** Modes that make a terminal send something: cursor keys, mouse, focus, paste, colour scheme, size. */
        private static final Set<String> SENDING = Set.of(
                "1", "9", "66", "1000", "1001", "1002", "1003", "1004", "1005", "1006", "1007", "1015", "1016", "2004",
                "2031", "2048");

        private static final Set<String> FULL_SCREEN = Set.of("47", "1047", "1049");
        /** Modes that stand when a terminal is fresh: auto-wrap and a visible cursor. */
        private static final Set<String> USUAL = Set.of("7", "25");

        /** Hyperlinks and colours: what an OSC may draw. */
        private static final Set<String> DRAWING_OSC = Set.of("4", "8", "10", "11", "12", "104", "110", "111", "112");

        private final Vt vt = new Vt(this);
        private final StringBuilder passed = new StringBuilder();
        private final Set<String> changed = new TreeSet<>();
        private boolean colours;

        String pass(String data) {
            passed.setLength(0);
            vt.feed(data);
            return passed.toString();
        }

        /** What brings the terminal back: modes, attributes, character set, scroll region, cursor, colours. */
        String restore() {
            var text = new StringBuilder("\u0018");
            for (var mode : changed) {
                text.append("\033[?").append(mode).append(USUAL.contains(mode) ? 'h' : 'l');
            }
            text.append("\0337\033[r\033[?6l\0338\033[4l\033(B\017\033[0m\033[0 q\033[?7h\033[?25h\033]8;;\033\\");
            return text.append(colours ? "\033]104\033\\\033]110\033\\\033]111\033\\\033]112\033\\" : "")
                    .toString();
        }

        @Override
        public void print(int codePoint) {
            passed.appendCodePoint(codePoint);
        }

        @Override
        public void control(char c) {
            // ENQ asks for an answer.
            if (c != 0x05) {
                passed.append(c);
            }
        }

        @Override
        public void escape(String sequence) {
            // ESC Z asks who it is; ESC c would clear what the user had on the screen's other side: both are tmux's own
            // to answer.
            if (!sequence.equals("Z") && !sequence.equals("=") && !sequence.equals(">")) {
                passed.append('\033').append(sequence);
            }
        }

        @Override
        public void csi(String params, char end) {
            if ((end == 'h' || end == 'l') && params.startsWith("?")) {
                modes(params.substring(1), end);
            } else if (draws(params, end)) {
                passed.append("\033[").append(params).append(end);
            }
        }

        private void modes(String list, char end) {
            for (var mode : list.split(";", -1)) {
                if (!SENDING.contains(mode)) {
                    passed.append("\033[?").append(mode).append(end);
                    var usual = (end == 'h') == USUAL.contains(mode);
                    if (usual && !FULL_SCREEN.contains(mode)) {
                        changed.remove(mode);
                    } else if (usual) {
                        changed.removeAll(FULL_SCREEN);
                    } else {
                        changed.add(mode);
                    }
                }
            }
        }

        private static boolean draws(String params, char end) {
            return switch (end) {
                // Device attributes, status reports, terminal parameters.
                case 'c', 'n', 'x' -> false;
                // Mode queries, kitty's keyboard, xterm's keyboard and version, window operations; the rest draws or
                // saves.
                case 'p' -> params.endsWith("!") || params.endsWith("\"");
                case 'u' -> params.isEmpty();
                case 'm' -> !params.startsWith(">") && !params.startsWith("?");
                case 'q' -> !params.startsWith(">");
                case 't' -> false;
                case 'S' -> !params.startsWith("?");
                default -> true;
            };
        }

        @Override
        public void string(char kind, String body) {
            var at = body.indexOf(';');
            var number = at < 0 ? body : body.substring(0, at);
            if (kind == ']' && DRAWING_OSC.contains(number) && !asks(number, body)) {
                colours |= !number.equals("8");
                passed.append("\033]").append(body).append("\033\\");
            }
        }

        private static boolean asks(String number, String body) {
            return !number.equals("8") && body.contains("?");
        }
    }
}
