package dev.hydravisor.recorder;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;

/**
 * Takes secrets out of what a terminal prints. It reads as a person does: colours and moves of the cursor within a line do not part
 * what stands together, nor does the screen's edge, nor does time. What could become a secret is held back until it is known;
 * everything else is passed on at once and unchanged. Of a secret each character is an asterisk, so that all else stays in its place.
 */
public final class Redactor {
    /** Takes what is free of secrets, in order. */
    public interface Sink {
        /** @param micros when these bytes arrived */
        void write(long micros, byte[] bytes, int offset, int length) throws IOException;

        /** A secret was taken out; where it stood is written next. */
        void redacted(long micros, String rule) throws IOException;
    }

    /** Text as it stands, each character with the number of the byte that last brought it. */
    private static final class Text {
        char[] chars = new char[1 << 12];
        long[] ids = new long[1 << 12];
        int length;
        /** Before here nothing changed since the last scan. */
        int scanned;
        /** The first character held back; {@link #length} when none is. */
        int open;

        void put(int at, char c, long id) {
            if (at >= length) {
                if (at + 1 > chars.length) {
                    chars = Arrays.copyOf(chars, Math.max(at + 1, chars.length * 2));
                    ids = Arrays.copyOf(ids, chars.length);
                }
                for (; length < at; length++) {
                    chars[length] = ' ';
                    ids[length] = -1;
                }
                length = at + 1;
            }
            chars[at] = c;
            ids[at] = id;
            if (at < scanned) {
                scanned = at;
            }
        }

        void room(int more) {
            if (length + more > chars.length) {
                chars = Arrays.copyOf(chars, Math.max(length + more, chars.length * 2));
                ids = Arrays.copyOf(ids, chars.length);
            }
        }

        void cut(int to) {
            length = Math.min(length, to);
            scanned = Math.min(scanned, length);
        }

        void remove(int from, int count) {
            var rest = Math.max(0, length - from - count);
            if (from < length) {
                System.arraycopy(chars, length - rest, chars, from, rest);
                System.arraycopy(ids, length - rest, ids, from, rest);
                cut(from + rest);
                scanned = Math.min(scanned, from);
            }
        }

        void insert(int from, int count) {
            if (from < length) {
                var rest = length - from;
                put(length + count - 1, ' ', -1);
                System.arraycopy(chars, from, chars, from + count, rest);
                System.arraycopy(ids, from, ids, from + count, rest);
                for (int i = from; i < from + count; i++) {
                    chars[i] = ' ';
                    ids[i] = -1;
                }
                scanned = Math.min(scanned, from);
            }
        }

        /** Forgets the beginning; returns how much. */
        int forget(int keep) {
            var gone = Math.max(0, length - keep);
            if (gone > 0) {
                System.arraycopy(chars, gone, chars, 0, keep);
                System.arraycopy(ids, gone, ids, 0, keep);
                length = keep;
                scanned = Math.max(0, scanned - gone);
                open = Math.max(0, open - gone);
            }
            return gone;
        }
    }

    private enum State {
        GROUND,
        ESCAPE,
        CSI,
        STRING,
        STRING_ESCAPE
    }

    /** One cell of this kind parts lines. */
    private static final char BREAK = '\n';

    private static final int STRING_LIMIT = 1 << 16;
    private static final int KEPT_TEXT = 4096;

    private final Rules rules;
    private final Sink sink;
    private int cols;

    // Bytes not passed on yet; the number of the first is `passed`.
    private byte[] held = new byte[1 << 15];
    private int heldLength;
    private long passed;
    /** For each of them its number, or that of the byte that began its character; -1 when it is no text. */
    private long[] heldIds = new long[1 << 15];

    private final ArrayDeque<long[]> arrivals = new ArrayDeque<>();
    private final BitSet secret = new BitSet();

    private final Text screen = new Text();
    private final Text string = new Text();
    private State state = State.GROUND;
    private char kind;
    private final StringBuilder params = new StringBuilder();

    private int cursor;
    private int rowStart;
    private int lineStart;
    private int column;
    private boolean atEdge;
    private boolean returnedAtEdge;

    /** True from a gap to the next blank: what stands there may be the rest of a secret whose beginning nobody saw. */
    private boolean unsure;

    private int partial;
    private int missing;
    private long partialId;

    public Redactor(Rules rules, int cols, Sink sink) {
        this.rules = rules;
        this.cols = Math.max(2, cols);
        this.sink = sink;
    }

    /** The terminal has so many columns from now on. */
    public void resize(int columns) {
        cols = Math.max(2, columns);
    }

    /** @param micros when the bytes arrived, not before those of the last call */
    public void feed(long micros, byte[] bytes, int length) throws IOException {
        if (heldLength + length > held.length) {
            held = Arrays.copyOf(held, Math.max(heldLength + length, held.length * 2));
            heldIds = Arrays.copyOf(heldIds, held.length);
        }
        arrivals.add(new long[] {passed + heldLength, micros});
        System.arraycopy(bytes, 0, held, heldLength, length);
        for (int i = 0; i < length; ) {
            var plain = plain(bytes, i, length);
            if (plain > 0) {
                i += plain;
            } else {
                heldIds[heldLength] = -1;
                heldLength++;
                take(bytes[i++] & 0xFF);
            }
        }
        scan(false);
        release();
    }

    /**
     * Takes nearly all there is, plain text at the end of a line, in one go: what is done here for each byte decides what recording costs.
     *
     * @return how many bytes it took
     */
    private int plain(byte[] bytes, int from, int to) {
        if (state != State.GROUND || unsure || cursor != screen.length) {
            return 0;
        }
        var end = Math.min(to, from + cols - 1 - column);
        if (from >= end) {
            return 0;
        }
        screen.room(end - from);
        var chars = screen.chars;
        var ids = screen.ids;
        var holders = heldIds;
        var at = screen.length;
        var hold = heldLength;
        var id = passed + hold;
        var i = from;
        for (; i < end; i++) {
            var b = bytes[i];
            if (b < 0x20 || b == 0x7F) {
                break;
            }
            chars[at] = (char) b;
            ids[at++] = id;
            holders[hold++] = id++;
        }
        var count = i - from;
        if (count > 0) {
            missing = 0;
            returnedAtEdge = false;
            atEdge = false;
            heldLength = hold;
            screen.length = at;
            cursor = at;
            column += count;
        }
        return count;
    }

    /** Bytes are missing here: the word that comes next is taken for the rest of a secret. */
    void gap() {
        unsure = true;
    }

    /** How many bytes are held back. */
    int held() {
        return heldLength;
    }

    /** No more will come: passes on what was held back. */
    public void finish() throws IOException {
        missing = 0;
        scan(true);
        release();
    }

    private long id() {
        return passed + heldLength - 1;
    }

    private void take(int b) throws IOException {
        if (state == State.GROUND) {
            if (b >= 0x20 && b < 0x7F) {
                missing = 0;
                print((char) b, 1, id());
            } else if (b >= 0x80) {
                multibyte(b);
            } else {
                missing = 0;
                control(b);
            }
            return;
        }
        if (b == 0x18 || b == 0x1A) {
            if (state == State.STRING || state == State.STRING_ESCAPE) {
                endString();
            }
            state = State.GROUND;
            return;
        }
        switch (state) {
            case ESCAPE -> escape(b);
            case CSI -> {
                if (b == 0x1B) {
                    state = State.ESCAPE;
                    params.setLength(0);
                } else if (b < 0x20) {
                    control(b);
                } else if (b >= 0x40 && b < 0x7F) {
                    state = State.GROUND;
                    csi((char) b);
                } else if (params.length() < 64) {
                    params.append((char) b);
                }
            }
            case STRING -> {
                if (b == 0x1B) {
                    state = State.STRING_ESCAPE;
                } else if (b == 0x07 && kind == ']') {
                    endString();
                    state = State.GROUND;
                } else {
                    heldIds[heldLength - 1] = id();
                    string.put(string.length, (char) b, id());
                    if (string.length >= STRING_LIMIT) {
                        // As terminals do, nobody keeps a longer one whole; what is held back of it stays so.
                        scanString(false);
                        string.forget(Math.max(Rules.BEFORE, string.length - string.open + Rules.BEFORE));
                    }
                }
            }
            case STRING_ESCAPE -> {
                endString();
                state = State.GROUND;
                if (b != '\\') {
                    state = State.ESCAPE;
                    params.setLength(0);
                    escape(b);
                }
            }
            case GROUND -> {}
        }
    }

    private void multibyte(int b) {
        if (b >= 0xC2 && b < 0xF5) {
            missing = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
            partial = b & (0x3F >> missing);
            partialId = id();
            heldIds[heldLength - 1] = partialId;
        } else if (b < 0xC0 && missing > 0) {
            heldIds[heldLength - 1] = partialId;
            partial = partial << 6 | b & 0x3F;
            if (--missing == 0) {
                var wide = partial >= 0x1100 && partial < 0x1160
                        || partial >= 0x2E80 && partial < 0xA4D0
                        || partial >= 0xAC00 && partial < 0xD7A4
                        || partial >= 0xF900 && partial < 0xFB00
                        || partial >= 0xFE30 && partial < 0xFE70
                        || partial >= 0xFF00 && partial < 0xFF61
                        || partial >= 0x1F300;
                var mark = partial >= 0x300 && partial < 0x370;
                if (partial >= 0xA0) {
                    print(partial < 0x10000 ? (char) partial : '\uFFFD', mark ? 0 : wide ? 2 : 1, partialId);
                }
            }
        } else {
            missing = 0;
        }
    }

    private void print(char c, int width, long id) {
        if (unsure) {
            unsure = c != ' ';
            if (unsure) {
                secret.set((int) (id - passed));
            }
        }
        if (atEdge && width > 0 || column + width > cols) {
            // The terminal goes on in the next row by itself.
            rowStart = cursor;
            column = 0;
            if (c == ' ' && cursor == screen.length) {
                // A line editor's way to go on there: it comes back and writes over it. If not, it is a blank then.
                cursor++;
                column++;
                atEdge = false;
                return;
            }
        }
        atEdge = false;
        returnedAtEdge = false;
        // What overwrites a character is one with it: a secret takes with it what stood there before.
        var before = cursor < screen.length ? screen.ids[cursor] : -1;
        var cell = before >= passed ? before : id;
        for (var i = (int) Math.max(0, id - passed); i < heldLength; i++) {
            heldIds[i] = cell;
        }
        if (c == ' ' && before >= passed && cursor == screen.length - 1) {
            screen.cut(cursor++); // a character taken back: what is typed next stands in its place
        } else {
            screen.put(cursor++, c, cell);
        }
        column += width;
        atEdge = column >= cols;
    }

    private void control(int b) {
        unsure &= b == 0x1B;
        switch (b) {
            case 0x1B -> {
                state = State.ESCAPE;
                params.setLength(0);
            }
            case '\r' -> {
                returnedAtEdge = atEdge && cursor >= screen.length;
                atEdge = false;
                cursor = rowStart;
                column = 0;
            }
            case '\n', 0x0B, 0x0C -> {
                if (atEdge && cursor >= screen.length || returnedAtEdge) {
                    softBreak();
                } else {
                    hardBreak(0);
                }
            }
            case '\b' -> left(1);
            case '\t' -> {
                var stop = Math.min(cols - 1, (column / 8 + 1) * 8);
                for (; column < stop; column++) {
                    screen.put(cursor++, ' ', -1);
                }
            }
            default -> {}
        }
    }

    private void left(int n) {
        atEdge = false;
        returnedAtEdge = false;
        cursor = Math.max(rowStart, cursor - n);
        column = Math.max(0, column - n);
    }

    private void softBreak() {
        cursor = screen.length;
        rowStart = cursor;
        column = 0;
        atEdge = false;
        returnedAtEdge = false;
    }

    private void hardBreak(int toColumn) {
        if (screen.length == 0 || screen.chars[screen.length - 1] != BREAK) {
            screen.put(screen.length, BREAK, -1);
        }
        softBreak();
        lineStart = cursor;
        column = toColumn;
    }

    private void escape(int b) {
        if (b == 0x1B) {
            params.setLength(0);
        } else if (b < 0x20) {
            control(b);
        } else if (b < 0x30) {
            params.append((char) b);
        } else {
            state = State.GROUND;
            if (params.isEmpty() && b == '[') {
                state = State.CSI;
            } else if (params.isEmpty() && "]PX^_k".indexOf(b) >= 0) {
                state = State.STRING;
                kind = (char) b;
                string.length = 0;
                string.scanned = 0;
                string.open = 0;
            } else if (params.isEmpty() && "78=>NOH".indexOf(b) < 0) {
                hardBreak(0);
            }
            params.setLength(0);
        }
    }

    private void csi(char end) {
        var n = number(0);
        switch (end) {
            case 'C', 'a' -> {
                atEdge = false;
                var by = Math.min(n, Math.max(0, cols - 1 - column));
                cursor += by;
                column += by;
            }
            case 'D' -> left(n);
            case 'G', '`' -> {
                var to = Math.min(n, cols) - 1;
                atEdge = false;
                cursor = rowStart + to;
                column = to;
            }
            case 'A' -> rows(-n);
            case 'B', 'e' -> rows(n);
            case 'K' -> {
                if (params.isEmpty() || params.charAt(0) == '0') {
                    screen.cut(Math.max(cursor, 0));
                }
            }
            case 'J' -> {
                if (params.isEmpty() || params.charAt(0) == '0') {
                    screen.cut(cursor);
                }
            }
            case 'P' -> screen.remove(cursor, n);
            case '@' -> screen.insert(cursor, Math.min(n, cols));
            case 'H', 'f' -> {
                var to = number(1) - 1;
                if (atEdge && cursor >= screen.length && to == 0) {
                    softBreak();
                } else {
                    hardBreak(Math.min(to, cols - 1));
                }
            }
            case 'd', 'E', 'F', 'L', 'M', 'S', 'T', 'r', 'u' -> hardBreak(0);
            case 'h', 'l' -> {
                if (params.indexOf("?") == 0 && (params.indexOf("47") > 0 || params.indexOf("49") > 0)) {
                    hardBreak(0);
                }
            }
            default -> {}
        }
        params.setLength(0);
    }

    /** Up and down within the rows of one wrapped line, as line editors do. */
    private void rows(int by) {
        var row = rowStart + by * cols;
        if (row < lineStart || row > screen.length) {
            hardBreak(column);
        } else {
            cursor += row - rowStart;
            rowStart = row;
            atEdge = false;
        }
    }

    private int number(int index) {
        var at = 0;
        for (; index > 0 && at < params.length(); at++) {
            if (params.charAt(at) == ';') {
                index--;
            }
        }
        var n = 0;
        for (; at < params.length() && Character.isDigit(params.charAt(at)); at++) {
            n = Math.min(100_000, n * 10 + params.charAt(at) - '0');
        }
        return Math.max(1, n);
    }

    private void endString() throws IOException {
        scanString(true);
        string.open = string.length;
        // The clipboard is in base64.
        if (kind == ']' && string.length > 3 && string.chars[0] == '5' && string.chars[1] == '2') {
            var body = new String(string.chars, 0, string.length);
            var from = body.lastIndexOf(';') + 1;
            try {
                var plain = new String(Base64.getMimeDecoder().decode(body.substring(from)), StandardCharsets.UTF_8);
                for (var found : rules.count(plain).entrySet()) {
                    for (int i = 0; i < found.getValue(); i++) {
                        sink.redacted(now(), found.getKey());
                    }
                    mark(string, from, string.length);
                }
            } catch (IllegalArgumentException e) {
                // No base64: nothing in it.
            }
        }
    }

    private void scan(boolean end) throws IOException {
        if (state == State.STRING || state == State.STRING_ESCAPE) {
            scanString(end);
            if (!end && kind == ']' && string.length > 1 && string.chars[0] == '5' && string.chars[1] == '2') {
                string.open = 0;
            }
        }
        scan(screen, end);
        if (screen.length > 4 * KEPT_TEXT) {
            var gone = screen.forget(Math.max(KEPT_TEXT, screen.length - screen.open + Rules.BEFORE));
            cursor = Math.max(0, cursor - gone);
            rowStart = Math.max(0, rowStart - gone);
            lineStart = Math.max(0, lineStart - gone);
        }
    }

    private void scanString(boolean end) throws IOException {
        scan(string, end);
    }

    private void scan(Text text, boolean end) throws IOException {
        var from = Math.max(0, Math.min(text.scanned, text.open) - Rules.BEFORE);
        var found = new ArrayList<int[]>();
        List<String> names = new ArrayList<>();
        text.open = rules.scan(text.chars, from, text.length, end, (rule, a, b) -> {
            found.add(new int[] {a, b});
            names.add(rule.name());
        });
        text.scanned = text.length;
        for (int i = 0; i < found.size(); i++) {
            sink.redacted(now(), names.get(i));
            mark(text, found.get(i)[0], found.get(i)[1]);
        }
    }

    private long now() {
        return arrivals.isEmpty() ? 0 : arrivals.peekLast()[1];
    }

    private void mark(Text text, int from, int to) {
        for (int i = from; i < to; i++) {
            if (text.ids[i] >= passed) {
                secret.set((int) (text.ids[i] - passed));
            }
            if (text.chars[i] != BREAK) {
                text.chars[i] = Rules.GONE;
            }
        }
    }

    /** Passes on what is held, up to the first byte that may be part of a secret. */
    private void release() throws IOException {
        var until = heldLength;
        if (state == State.STRING || state == State.STRING_ESCAPE) {
            until = Math.min(until, firstHeld(string));
        }
        until = Math.min(until, firstHeld(screen));
        if (missing > 0 && partialId >= passed) {
            until = Math.min(until, (int) (partialId - passed));
        }
        if (!secret.isEmpty()) {
            replace();
        }
        for (int from = 0; from < until; ) {
            var arrival = arrivals.element();
            var next = arrivals.size() > 1 ? second()[0] : Long.MAX_VALUE;
            var to = (int) Math.min(until, next - passed);
            if (to > from) {
                sink.write(arrival[1], held, from, to - from);
            }
            from = to;
            if (passed + to == next) {
                arrivals.remove();
            }
        }
        heldLength -= until;
        passed += until;
        System.arraycopy(held, until, held, 0, heldLength);
        System.arraycopy(heldIds, until, heldIds, 0, heldLength);
        if (heldLength == 0) {
            arrivals.clear();
        }
    }

    private long[] second() {
        var all = arrivals.iterator();
        all.next();
        return all.next();
    }

    /** A character of several bytes becomes an asterisk, or two where it is wide, and NULs, which terminals skip. */
    private void replace() {
        for (int i = 0; i < heldLength; i++) {
            var id = heldIds[i];
            if (id >= passed && secret.get((int) (id - passed))) {
                var wide = (held[i] & 0xFF) >= 0xE3 && i + 1 < heldLength && heldIds[i + 1] == id;
                held[i] = (held[i] & 0xC0) == 0x80 ? 0 : (byte) Rules.REDACTED;
                if (wide) {
                    held[++i] = Rules.REDACTED;
                }
            }
        }
        secret.clear();
    }

    private int firstHeld(Text text) {
        var first = Integer.MAX_VALUE;
        for (int i = text.open; i < text.length; i++) {
            if (text.ids[i] >= passed) {
                first = Math.min(first, (int) (text.ids[i] - passed));
            }
        }
        return first == Integer.MAX_VALUE ? heldLength : first;
    }
}
