package dev.hydravisor.recording;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
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
     * @param from where to begin; what came before is drawn at once
     * @param marks takes the text of each marker at its time; null for none
     * @param idleLimit the longest pause of the recording that is kept, before it is divided by the speed; null for all
     */
    public record Options(
            double speed,
            @Nullable Duration idleLimit,
            Duration from,
            @Nullable Consumer<String> marks) {
        public Options(double speed, @Nullable Duration idleLimit) {
            this(speed, idleLimit, Duration.ZERO, null);
        }

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
            return pause(micros, speed);
        }

        long pause(long micros, double atSpeed) {
            var kept = idleLimit == null ? micros : Math.min(micros, idleLimit.toNanos() / 1000);
            return (long) (kept * 1000 / atSpeed);
        }
    }

    /** The keys a user presses while it plays. */
    @FunctionalInterface
    public interface Keys {
        /**
         * Waits for a key, at most so long.
         *
         * @return the key's character; below 0 when there was none
         */
        int poll(long millis) throws IOException, InterruptedException;

        /** No keys. */
        Keys NONE = millis -> {
            Thread.sleep(millis);
            return -1;
        };
    }

    private static final long JUMP_MICROS = 5_000_000;

    /** Playing on is left for another moment before this one. */
    private static final class Back extends RuntimeException {
        private static final long serialVersionUID = 1;

        Back() {
            super(null, null, false, false);
        }
    }

    private final Archive archive;
    private final Options options;
    private final Writer out;
    private final Keys keys;
    private final Filter filter = new Filter();
    private final List<Long> marks = new ArrayList<>();
    private double speed;
    private long at;
    /** Up to here it is drawn at once. */
    private long target;

    private boolean paused;
    private boolean quit;
    // Pauses are kept to a schedule, so that what writing costs is not added to each.
    private long due;

    private Replay(Archive archive, Options options, Writer out, Keys keys) throws IOException {
        this.archive = archive;
        this.options = options;
        this.out = out;
        this.keys = keys;
        this.speed = options.speed();
        this.target = options.from().toNanos() / 1000;
        archive.asides().stream().filter(a -> a.code() == 'm').forEach(a -> marks.add(a.micros()));
    }

    /**
     * Plays to the end, or until the thread is interrupted or the user leaves, and leaves the terminal as it found it.
     *
     * @throws HydraException INTERRUPTED when interrupted
     */
    static void play(Archive archive, Options options, Writer out, Keys keys) throws IOException {
        var replay = new Replay(archive, options, out, keys);
        try {
            replay.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } finally {
            out.write(replay.filter.restore());
            out.flush();
        }
    }

    /**
     * Draws what stands on the terminal now and goes on as it prints, until the recording ends or the user leaves. Nothing leads back:
     * what is typed here reaches no program.
     *
     * @param going false once nothing more will come
     * @throws HydraException INTERRUPTED when interrupted
     */
    static void follow(Archive archive, Writer out, Keys keys, java.util.function.BooleanSupplier going)
            throws IOException {
        var filter = new Filter();
        var decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
        var bytes = ByteBuffer.allocate(1 << 16);
        var chars = CharBuffer.allocate(1 << 16);
        try (var raw = FileChannel.open(archive.file(Archive.RAW), StandardOpenOption.READ)) {
            while (true) {
                var last = !going.getAsBoolean();
                while (raw.read(bytes) > 0) {
                    decoder.decode(bytes.flip(), chars, false);
                    bytes.compact();
                    out.write(filter.pass(chars.flip().toString()));
                    chars.clear();
                }
                out.flush();
                var key = last ? 'q' : keys.poll(50);
                if (key == 'q' || key == 3) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } finally {
            out.write(filter.restore());
            out.flush();
        }
    }

    private void run() throws IOException, InterruptedException {
        while (true) {
            at = 0;
            due = System.nanoTime();
            try {
                Events.read(archive, this::event);
                return;
            } catch (Back e) {
                if (quit) {
                    return;
                }
                out.write(filter.restore());
                out.write("\033[H\033[2J");
            }
        }
    }

    private void event(long micros, char code, String data) throws IOException, InterruptedException {
        if (code == 'm' && options.marks() != null) {
            waitUntil(micros);
            options.marks().accept(data);
        }
        if (code == 'o') {
            waitUntil(micros);
            out.write(filter.pass(data));
        }
    }

    private void waitUntil(long micros) throws IOException, InterruptedException {
        if (micros <= target) {
            at = Math.max(at, micros);
            due = System.nanoTime();
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            return;
        }
        due += options.pause(Math.max(0, micros - Math.max(at, target)), speed);
        var start = System.nanoTime();
        var from = Math.max(at, target);
        while (true) {
            var wait = due - System.nanoTime();
            if (wait <= 0 && !paused) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                break;
            }
            out.flush();
            var before = System.nanoTime();
            var key = keys.poll(paused ? 1000 : Math.max(1, wait / 1_000_000));
            if (paused) {
                due += System.nanoTime() - before;
            }
            if (key >= 0) {
                var passed = paused ? 0 : (long) ((System.nanoTime() - start) / 1000 * speed);
                pressed(key, Math.min(micros, from + passed));
                if (micros <= target) {
                    due = System.nanoTime();
                    break;
                }
            }
        }
        at = Math.max(at, micros);
    }

    private void pressed(int key, long now) {
        switch (key) {
            case ' ' -> paused = !paused;
            case '+' -> speed = Math.min(64, speed * 2);
            case '-' -> speed = Math.max(1 / 64.0, speed / 2);
            case 'l' -> target = now + JUMP_MICROS;
            case 'h' -> back(now - JUMP_MICROS);
            case ']' -> marks.stream().filter(m -> m > now).findFirst().ifPresent(m -> target = m);
            case '[' ->
                back(marks.stream()
                        .filter(m -> m < now - 1_000_000)
                        .reduce((_, last) -> last)
                        .orElse(0L));
            case '0' -> back(0);
            case 'q', 3 -> {
                quit = true;
                throw new Back();
            }
            default -> {}
        }
    }

    private void back(long micros) {
        target = Math.max(0, micros);
        throw new Back();
    }

    /** Passes on what draws, and knows what must be undone at the end. */
    static final class Filter implements Vt.Handler {
        /** Stands for what is left out, for it parts what came before from what follows: a repeat (REP) repeats nothing then. */
        private static final char NOTHING = '\0';

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
            passed.append(c == 0x05 ? NOTHING : c);
        }

        @Override
        public void escape(String sequence) {
            // ESC Z asks who it is; ESC c would clear what the user had on the screen's other side: both are tmux's own
            // to answer.
            if (!sequence.equals("Z") && !sequence.equals("=") && !sequence.equals(">")) {
                passed.append('\033').append(sequence);
            } else {
                passed.append(NOTHING);
            }
        }

        @Override
        public void csi(String params, char end) {
            if ((end == 'h' || end == 'l') && params.startsWith("?")) {
                modes(params.substring(1), end);
            } else if (draws(params, end)) {
                passed.append("\033[").append(params).append(end);
            } else {
                passed.append(NOTHING);
            }
        }

        private void modes(String list, char end) {
            if (!list.matches("[0-9;]*")) {
                passed.append(NOTHING); // no modes, but for an intermediate character something that no terminal knows
                return;
            }
            for (var mode : list.split(";", -1)) {
                if (SENDING.contains(mode)) {
                    passed.append(NOTHING);
                } else {
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
                case 'u' -> params.isEmpty() || params.charAt(0) <= ';';
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
            } else {
                passed.append(NOTHING);
            }
        }

        private static boolean asks(String number, String body) {
            return !number.equals("8") && body.contains("?");
        }
    }
}
