package dev.hydravisor.recording;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jline.utils.WCWidth;
import org.jspecify.annotations.Nullable;

/**
 * The text of a session as a person would have read it: what scrolled off the screen or was cleared, then what stood on it at the end;
 * soft-wrapped lines are joined. Of a full-screen program, its last screen is kept, between two marks.
 */
final class ScreenText implements Vt.Handler {
    static final String FULL_SCREEN = "[full screen]";
    static final String FULL_SCREEN_END = "[end of full screen]";

    private static final int BLANK = ' ';
    /** The second column of a wide character. */
    private static final int TAIL = -1;

    private static final String LINE_DRAWING = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";

    /** One row of the screen. */
    private static final class Row {
        int[] cells;
        /** How each is drawn, as {@link Look} has it; null for a row that is plain all along. */
        long @Nullable [] looks;
        /** Marks that combine with the character in a column. */
        @Nullable
        Map<Integer, String> marks;
        /** True when its text goes on in the next row. */
        boolean wrapped;
        /** True when it is in the log as it stands. */
        boolean written;
        /** When something was last printed in it. */
        long micros;

        Row(int cols) {
            cells = new int[cols];
            Arrays.fill(cells, BLANK);
        }

        boolean isBlank() {
            return Arrays.stream(cells).allMatch(c -> c == BLANK);
        }

        void erase(int from, int to) {
            Arrays.fill(cells, Math.max(0, from), Math.max(Math.max(0, from), Math.min(to, cells.length)), BLANK);
            if (marks != null) {
                marks.keySet().removeIf(c -> c >= from && c < to);
            }
            if (to >= cells.length) {
                wrapped = false;
            }
            if (looks != null) {
                Arrays.fill(
                        looks, Math.max(0, from), Math.max(Math.max(0, from), Math.min(to, cells.length)), Look.PLAIN);
            }
        }

        /** As above; the erased cells get the background of this look. */
        void erase(int from, int to, long look) {
            erase(from, to);
            var background = Look.backgroundOf(look);
            if (background != Look.PLAIN) {
                for (int i = Math.max(0, from); i < Math.min(to, cells.length); i++) {
                    look(i, background);
                }
            }
        }

        long look(int at) {
            return looks == null ? Look.PLAIN : looks[at];
        }

        void look(int at, long look) {
            if (looks == null) {
                if (look == Look.PLAIN) {
                    return;
                }
                looks = new long[cells.length];
            }
            looks[at] = look;
        }

        void move(int from, int to, int count) {
            System.arraycopy(cells, from, cells, to, count);
            if (looks != null) {
                System.arraycopy(looks, from, looks, to, count);
            }
        }

        String text() {
            var text = new StringBuilder();
            for (int i = 0; i < cells.length; i++) {
                if (cells[i] != TAIL) {
                    text.appendCodePoint(cells[i]);
                }
                if (marks != null) {
                    text.append(marks.getOrDefault(i, ""));
                }
            }
            return wrapped ? text.toString() : text.toString().stripTrailing();
        }
    }

    /** Takes lines of text. */
    @FunctionalInterface
    interface Lines {
        /** @param micros when the last of it was printed, since the start of the recording */
        void line(long micros, String text) throws IOException, InterruptedException;
    }

    /** Takes control strings. */
    @FunctionalInterface
    interface Marks {
        void mark(long micros, String body);
    }

    private final Lines out;
    private Marks marks = (_, _) -> {};
    private long micros;
    private final Vt vt = new Vt(this);
    private int cols;
    private int rows;
    private final ArrayDeque<Row> pending = new ArrayDeque<>();
    private Row[] screen;
    private Row @Nullable [] main;
    private int x;
    private int y;
    private int top;
    private int bottom;
    private boolean wrapNext;
    private boolean autoWrap = true;
    private boolean originMode;
    private boolean insertMode;
    private boolean drawing;
    private int[] saved = new int[2];
    private int[] savedMain = new int[2];
    private int last = BLANK;
    private long look = Look.PLAIN;
    private long savedLook = Look.PLAIN;

    ScreenText(Writer out, int cols, int rows) {
        this((_, text) -> out.write(text + "\n"), cols, rows);
    }

    ScreenText(Lines out, int cols, int rows) {
        this.out = out;
        this.cols = Math.max(1, cols);
        this.rows = Math.max(1, rows);
        this.screen = blank();
        this.bottom = this.rows - 1;
    }

    /** Writes the text of a whole recording. */
    static void write(Archive archive, Archive.Meta meta, Writer out) throws IOException, InterruptedException {
        lines(archive, meta, (_, text) -> out.write(text + "\n"));
    }

    /** Gives the text of a whole recording line by line, each with its time. */
    static void lines(Archive archive, Archive.Meta meta, Lines lines) throws IOException, InterruptedException {
        lines(archive, meta, lines, (_, _) -> {});
    }

    /** As above, and the control strings that a program marks its work with (OSC). */
    static void lines(Archive archive, Archive.Meta meta, Lines lines, Marks marks)
            throws IOException, InterruptedException {
        var text = new ScreenText(lines, meta.cols(), meta.rows());
        text.marks = marks;
        try {
            Events.read(archive, (micros, code, data) -> {
                text.micros = micros;
                if (code == 'o') {
                    text.feed(data);
                } else if (code == 'r') {
                    text.resize(data);
                } else if (data.startsWith("gap: ")) {
                    text.gap(data);
                }
            });
            text.finish();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    void feed(String data) {
        vt.feed(data);
    }

    /** Writes what still stands on the screen. */
    void finish() throws IOException {
        leaveFullScreen();
        flushScreen();
        writePending();
    }

    /** The text on the screen now, a line a row. */
    String screen() {
        var text = new StringBuilder();
        for (var row : screen) {
            text.append(row.text().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    /** Takes the characters of a row that are drawn alike. */
    interface Runs {
        /** @param width in columns; of two columns a character where {@code wide} */
        void run(int column, int width, boolean wide, String text, long look);
    }

    int rowCount() {
        return rows;
    }

    int columnCount() {
        return cols;
    }

    /** A row of the screen now, in runs that are drawn alike; a wide character is one by itself. Plain blanks are left out. */
    void runs(int which, Runs to) {
        var row = screen[which];
        for (int i = 0; i < row.cells.length; ) {
            var from = i;
            var as = row.look(i);
            var wide = i + 1 < row.cells.length && row.cells[i + 1] == TAIL;
            var text = new StringBuilder();
            do {
                text.appendCodePoint(row.cells[i] == TAIL ? BLANK : row.cells[i]);
                if (row.marks != null) {
                    text.append(row.marks.getOrDefault(i, ""));
                }
                i += wide ? 2 : 1;
            } while (!wide
                    && i < row.cells.length
                    && row.look(i) == as
                    && !(i + 1 < row.cells.length && row.cells[i + 1] == TAIL));
            if (as != Look.PLAIN || !text.toString().isBlank()) {
                to.run(from, i - from, wide, text.toString(), as);
            }
        }
    }

    private void gap(String what) throws IOException {
        flushScreen();
        writePending();
        line(micros, "[" + what + "]");
    }

    void resize(String size) {
        var at = size.indexOf('x');
        var newCols = Math.max(1, Integer.parseInt(size.substring(0, at)));
        var newRows = Math.max(1, Integer.parseInt(size.substring(at + 1)));
        if (main != null) {
            main = fit(main, newCols, newRows, rows - 1);
        }
        while (main == null && y >= newRows) {
            emit(screen[0]);
            shift(0, rows - 1, 1);
            y--;
        }
        screen = fit(screen, newCols, newRows, y);
        cols = newCols;
        rows = newRows;
        top = 0;
        bottom = rows - 1;
        x = Math.min(x, cols - 1);
        y = Math.min(y, rows - 1);
        wrapNext = false;
    }

    private static Row[] fit(Row[] from, int cols, int rows, int cursor) {
        var skip = Math.max(0, Math.min(cursor, from.length - 1) - rows + 1);
        var to = new Row[rows];
        for (int i = 0; i < rows; i++) {
            if (i + skip < from.length) {
                to[i] = from[i + skip];
                var old = to[i].cells.length;
                to[i].cells = Arrays.copyOf(to[i].cells, cols);
                var looks = to[i].looks;
                to[i].looks = looks == null ? null : Arrays.copyOf(looks, cols);
                if (cols > old) {
                    Arrays.fill(to[i].cells, old, cols, BLANK);
                }
            } else {
                to[i] = new Row(cols);
            }
        }
        return to;
    }

    private Row[] blank() {
        var fresh = new Row[rows];
        Arrays.setAll(fresh, _ -> new Row(cols));
        return fresh;
    }

    @Override
    public void print(int codePoint) {
        var c = drawing && codePoint >= '`' && codePoint <= '~' ? LINE_DRAWING.charAt(codePoint - '`') : codePoint;
        var width = c < 0x7F ? 1 : WCWidth.wcwidth(c);
        if (width <= 0) {
            combine(c);
            return;
        }
        if (wrapNext || x + width > cols) {
            if (autoWrap) {
                screen[y].wrapped = true;
                x = 0;
                lineFeed();
            } else {
                x = Math.max(0, cols - width);
            }
        }
        wrapNext = false;
        var row = screen[y];
        if (insertMode) {
            insert(row, width);
        }
        split(row, x);
        split(row, x + width);
        row.cells[x] = c;
        row.look(x, look);
        row.written = false;
        row.micros = micros;
        if (row.marks != null) {
            row.marks.remove(x);
        }
        if (width == 2 && x + 1 < cols) {
            row.cells[x + 1] = TAIL;
            row.look(x + 1, look);
        }
        x += width;
        last = c;
        if (x >= cols) {
            x = cols - 1;
            wrapNext = true;
        }
    }

    /** Overwriting half of a wide character blanks the other half. */
    private void split(Row row, int at) {
        if (at > 0 && at < cols && row.cells[at] == TAIL) {
            row.cells[at - 1] = BLANK;
            row.cells[at] = BLANK;
        }
    }

    private void combine(int c) {
        var at = wrapNext ? x : x - 1;
        if (at > 0 && screen[y].cells[at] == TAIL) {
            at--;
        }
        if (at >= 0) {
            var row = screen[y];
            if (row.marks == null) {
                row.marks = new HashMap<>();
            }
            row.marks.merge(at, Character.toString(c), (a, b) -> a.length() < 16 ? a + b : a);
        }
    }

    @Override
    public void control(char c) {
        switch (c) {
            case '\b' -> move(x - 1, y);
            case '\t' -> move(Math.min(cols - 1, (x / 8 + 1) * 8), y);
            case '\n', 0x0B, '\f' -> {
                wrapNext = false;
                lineFeed();
            }
            case '\r' -> move(0, y);
            default -> {}
        }
    }

    @Override
    public void escape(String sequence) {
        switch (sequence) {
            case "7" -> save();
            case "8" -> restore();
            case "D" -> lineFeed();
            case "E" -> {
                move(0, y);
                lineFeed();
            }
            case "M" -> {
                if (y == top) {
                    unshift(top, bottom, 1);
                } else {
                    move(x, y - 1);
                }
            }
            case "(0" -> drawing = true;
            case "(B", "(A" -> drawing = false;
            case "c" -> {
                look = Look.PLAIN;
                leaveFullScreen();
                flushScreen();
                move(0, 0);
                top = 0;
                bottom = rows - 1;
                drawing = false;
                insertMode = false;
                originMode = false;
                autoWrap = true;
            }
            default -> {}
        }
    }

    @Override
    public void string(char kind, String body) {
        if (kind == ']') {
            marks.mark(micros, body);
        }
    }

    @Override
    public void csi(String params, char end) {
        if (params.startsWith("?")) {
            for (var mode : params.substring(1).split(";", -1)) {
                mode(mode, end);
            }
            return;
        }
        if (!params.isEmpty() && !Character.isDigit(params.charAt(0)) && params.charAt(0) != ';') {
            return;
        }
        var n = parameter(params, 0, 1);
        switch (end) {
            case 'A' -> move(x, Math.max(y >= top ? top : 0, y - n));
            case 'B', 'e' -> move(x, Math.min(y <= bottom ? bottom : rows - 1, y + n));
            case 'C', 'a' -> move(x + n, y);
            case 'D' -> move(x - n, y);
            case 'E' -> move(0, Math.min(bottom, y + n));
            case 'F' -> move(0, Math.max(top, y - n));
            case 'G', '`' -> move(n - 1, y);
            case 'd' -> move(x, row(n));
            case 'H', 'f' -> move(parameter(params, 1, 1) - 1, row(n));
            case 'J' -> eraseScreen(parameter(params, 0, 0));
            case 'K' -> {
                switch (parameter(params, 0, 0)) {
                    case 0 -> screen[y].erase(x, cols, look);
                    case 1 -> screen[y].erase(0, x + 1, look);
                    case 2 -> screen[y].erase(0, cols, look);
                    default -> {}
                }
            }
            case 'X' -> screen[y].erase(x, x + n, look);
            case '@' -> insert(screen[y], n);
            case 'P' -> {
                var count = Math.min(n, cols - x);
                screen[y].move(x + count, x, cols - x - count);
                screen[y].erase(cols - count, cols, look);
            }
            case 'L' -> {
                if (y >= top && y <= bottom) {
                    unshift(y, bottom, n);
                }
            }
            case 'M' -> {
                if (y >= top && y <= bottom) {
                    shift(y, bottom, n);
                }
            }
            case 'S' -> {
                for (int i = 0; i < Math.min(n, rows); i++) {
                    scroll();
                }
            }
            case 'T' -> unshift(top, bottom, n);
            case 'b' -> {
                for (int i = 0; i < Math.min(n, cols * rows); i++) {
                    print(last);
                }
            }
            case 'r' -> {
                var from = n - 1;
                var to = Math.min(rows, parameter(params, 1, rows)) - 1;
                if (from >= 0 && from < to) {
                    top = from;
                    bottom = to;
                    move(0, originMode ? top : 0);
                }
            }
            case 'm' -> look = Look.sgr(look, params);
            case 's' -> save();
            case 'u' -> restore();
            case 'h' -> insertMode |= parameter(params, 0, 0) == 4;
            case 'l' -> insertMode &= parameter(params, 0, 0) != 4;
            default -> {}
        }
    }

    private void mode(String mode, char end) {
        if (end != 'h' && end != 'l') {
            return;
        }
        var on = end == 'h';
        switch (mode) {
            case "6" -> {
                originMode = on;
                move(0, on ? top : 0);
            }
            case "7" -> autoWrap = on;
            case "47", "1047", "1049" -> {
                if (on) {
                    enterFullScreen();
                } else {
                    leaveFullScreen();
                }
            }
            default -> {}
        }
    }

    private void enterFullScreen() {
        if (main == null) {
            main = screen;
            savedMain = new int[] {x, y};
            screen = blank();
            wrapNext = false;
        }
    }

    private void leaveFullScreen() {
        var under = main;
        if (under == null) {
            return;
        }
        var shown = screen;
        screen = under;
        main = null;
        move(savedMain[0], savedMain[1]);
        top = 0;
        bottom = rows - 1;
        if (Arrays.stream(shown).allMatch(Row::isBlank)) {
            return;
        }
        // What stands on the main screen above the cursor was read before.
        for (int i = 0; i < y; i++) {
            emit(screen[i]);
        }
        emitText(FULL_SCREEN);
        emitAll(shown);
        emitText(FULL_SCREEN_END);
    }

    private void eraseScreen(int how) {
        switch (how) {
            case 0 -> {
                if (x == 0 && y == 0) {
                    flushScreen();
                    return;
                }
                screen[y].erase(x, cols, look);
                for (int i = y + 1; i < rows; i++) {
                    screen[i].erase(0, cols, look);
                }
            }
            case 1 -> {
                for (int i = 0; i < y; i++) {
                    screen[i].erase(0, cols, look);
                }
                screen[y].erase(0, x + 1, look);
            }
            case 2 -> flushScreen();
            default -> {}
        }
    }

    /** A cleared screen was read before: on the main screen its text is kept. */
    private void flushScreen() {
        if (main == null) {
            emitAll(screen);
        }
        screen = blank();
        if (Look.backgroundOf(look) != Look.PLAIN) {
            for (var row : screen) {
                row.erase(0, cols, look);
            }
        }
    }

    private void save() {
        saved = new int[] {x, y};
        savedLook = look;
    }

    private void restore() {
        move(saved[0], saved[1]);
        look = savedLook;
    }

    private void emitAll(Row[] all) {
        var end = all.length;
        while (end > 0 && all[end - 1].isBlank()) {
            end--;
        }
        for (int i = 0; i < end; i++) {
            emit(all[i]);
        }
    }

    private void emit(Row row) {
        if (row.written) {
            return;
        }
        row.written = true;
        try {
            pending.add(row);
            if (!row.wrapped) {
                writePending();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void emitText(String text) {
        var row = new Row(text.length());
        row.cells = text.codePoints().toArray();
        row.micros = micros;
        emit(row);
    }

    /** A line of many rows is written when it is whole; one without end, row by row. */
    private void writePending() throws IOException {
        var text = new StringBuilder();
        while (!pending.isEmpty()) {
            var row = pending.remove();
            text.append(row.text());
            if (!row.wrapped || pending.isEmpty()) {
                line(row.micros, text.toString());
                text.setLength(0);
            }
        }
    }

    private void line(long at, String text) throws IOException {
        try {
            out.line(at, text);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private int row(int n) {
        return originMode ? Math.min(bottom, top + n - 1) : n - 1;
    }

    private void move(int toX, int toY) {
        x = Math.max(0, Math.min(cols - 1, toX));
        y = Math.max(0, Math.min(rows - 1, toY));
        wrapNext = false;
    }

    private void lineFeed() {
        if (y == bottom) {
            scroll();
        } else if (y < rows - 1) {
            y++;
        }
    }

    private void scroll() {
        if (main == null && top == 0) {
            emit(screen[0]);
        }
        shift(top, bottom, 1);
    }

    /** Moves the rows of a region up; blank ones come in below. */
    private void shift(int from, int to, int by) {
        var count = Math.min(by, to - from + 1);
        System.arraycopy(screen, from + count, screen, from, to - from + 1 - count);
        for (int i = to - count + 1; i <= to; i++) {
            screen[i] = new Row(cols);
            screen[i].erase(0, cols, look);
        }
    }

    private void unshift(int from, int to, int by) {
        var count = Math.min(by, to - from + 1);
        System.arraycopy(screen, from, screen, from + count, to - from + 1 - count);
        for (int i = from; i < from + count; i++) {
            screen[i] = new Row(cols);
            screen[i].erase(0, cols, look);
        }
    }

    private void insert(Row row, int n) {
        var count = Math.min(n, cols - x);
        row.move(x, x + count, cols - x - count);
        Arrays.fill(row.cells, x, x + count, BLANK);
        if (row.looks != null) {
            Arrays.fill(row.looks, x, x + count, Look.PLAIN);
        }
    }

    private static int parameter(String params, int index, int fallback) {
        var all = params.split("[;:]", -1);
        if (index >= all.length) {
            return fallback;
        }
        try {
            var value = Integer.parseInt(all[index]);
            return value == 0 ? fallback : value;
        } catch (NumberFormatException e) {
            return fallback;
        }
    }
}
