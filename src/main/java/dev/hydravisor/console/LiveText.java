package dev.hydravisor.console;

import java.io.PrintWriter;
import java.util.List;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.WCWidth;

/**
 * Lines at the end of a terminal's output that may still change: only what differs is written again, and what scrolled off the screen
 * stays as it is. The cursor stands behind the last line.
 */
final class LiveText {
    private final Terminal terminal;
    private final PrintWriter out;
    private List<AttributedString> shown = List.of();
    private int columns;
    private boolean begun;

    LiveText(Terminal terminal) {
        this.terminal = terminal;
        this.out = terminal.writer();
    }

    int columns() {
        return terminal.getWidth() > 0 ? terminal.getWidth() : 80;
    }

    /** Shows these lines in place of those before. */
    void show(List<AttributedString> lines) {
        int same = 0;
        if (columns == columns()) {
            while (same < Math.min(lines.size(), shown.size())
                    && lines.get(same).equals(shown.get(same))) {
                same++;
            }
        }
        columns = columns();
        if (same == lines.size() && same == shown.size()) {
            return;
        }
        var last = shown.size() - 1;
        if (same == lines.size() && same > 0) {
            same--; // the cursor has to get behind it again
        }
        if (same < last || same == last && !isContinued(lines, last)) {
            goBack(same, lines);
        } else if (same == last) {
            print(lines.get(last)
                    .subSequence(shown.get(last).length(), lines.get(last).length()));
            printFrom(last + 1, lines);
        } else {
            printFrom(same, lines);
        }
        shown = List.copyOf(lines);
        out.flush();
    }

    private boolean isContinued(List<AttributedString> lines, int last) {
        var before = shown.get(last);
        return lines.size() > last
                && lines.get(last).length() >= before.length()
                && lines.get(last).subSequence(0, before.length()).equals(before);
    }

    private void goBack(int from, List<AttributedString> lines) {
        int height = terminal.getHeight() > 0 ? terminal.getHeight() : 24;
        int up = -1;
        for (int i = from; i < shown.size(); i++) {
            up += rows(shown.get(i));
        }
        int first = from;
        while (first < shown.size() - 1 && up > height - 1) {
            up -= rows(shown.get(first++));
        }
        up = Math.min(up, height - 1);
        out.print("\r" + (up > 0 ? "\033[" + up + "A" : "") + "\033[J");
        begun = false;
        printFrom(first, lines);
    }

    private void printFrom(int first, List<AttributedString> lines) {
        for (int i = first; i < lines.size(); i++) {
            if (begun) {
                out.print("\n");
            }
            begun = true;
            print(lines.get(i));
        }
    }

    private void print(AttributedString text) {
        out.print(Markdown.ansi(text));
    }

    /** Rows that a line takes on the screen. */
    private int rows(AttributedString line) {
        int rows = 1;
        int column = 0;
        for (int i = 0; i < line.length(); i += Character.charCount(line.codePointAt(i))) {
            int wide = Math.max(0, WCWidth.wcwidth(line.codePointAt(i)));
            if (column + wide > columns) {
                rows++;
                column = 0;
            }
            column += wide;
        }
        return rows;
    }

    /** Says that the first lines will not change any more, and need not be shown again. */
    void forget(int lines) {
        shown = List.copyOf(shown.subList(lines, shown.size()));
    }

    /** Leaves all as it is, and begins a new line. */
    void end() {
        if (begun) {
            out.print("\n");
            out.flush();
        }
        begun = false;
        shown = List.of();
    }
}
