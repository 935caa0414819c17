package dev.hydravisor.dashboard;

import dev.hydravisor.host.PlainText;
import java.util.Arrays;
import java.util.Objects;
import org.jline.utils.WCWidth;
import org.jspecify.annotations.Nullable;

/**
 * One picture of the whole screen, a cell a column. Whatever is put into it is made safe for a terminal first, so that no text can reach
 * one by another way.
 */
final class Frame {
    /** Variation selectors and joiners: terminals disagree about how wide what they make is. */
    private static boolean isJoining(int c) {
        return c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0x1F3FB && c <= 0x1F3FF);
    }

    private final int columns;
    private final int rows;
    // The second cell of a wide character is null.
    private final @Nullable String[] texts;
    private final Role[] roles;

    Frame(int columns, int rows) {
        this.columns = columns;
        this.rows = rows;
        texts = new String[columns * rows];
        roles = new Role[columns * rows];
        Arrays.fill(texts, " ");
        Arrays.fill(roles, Role.TEXT);
    }

    int columns() {
        return columns;
    }

    int rows() {
        return rows;
    }

    /** What stands in a cell; null for the second half of a wide character. */
    @Nullable
    String text(int x, int y) {
        return texts[y * columns + x];
    }

    Role role(int x, int y) {
        return roles[y * columns + x];
    }

    boolean same(int x, int y, Frame other) {
        var at = y * columns + x;
        return roles[at] == other.roles[at] && Objects.equals(texts[at], other.texts[at]);
    }

    /** Puts text from {@code x} on, cut with an ellipsis where it needs more than {@code width} columns. Returns the column behind it. */
    int put(int x, int y, int width, String text, Role role) {
        var room = Math.min(width, columns - x);
        if (room <= 0 || y < 0 || y >= rows || x < 0) {
            return x;
        }
        return write(x, y, clip(PlainText.safe(text), room), role);
    }

    int put(int x, int y, String text, Role role) {
        return put(x, y, columns, text, role);
    }

    /** Gives a whole stretch of a row one role, whatever stands there. */
    void paint(int x, int y, int width, Role role) {
        Arrays.fill(roles, y * columns + x, y * columns + Math.min(columns, x + width), role);
    }

    private int write(int x, int y, String text, Role role) {
        int at = x;
        for (int i = 0; i < text.length(); ) {
            var c = text.codePointAt(i);
            i += Character.charCount(c);
            var width = width(c);
            var cell = y * columns + at;
            if (width == 0) {
                if (at > x && !isJoining(c)) {
                    var base = texts[cell - 1] == null ? cell - 2 : cell - 1;
                    texts[base] += Character.toString(c);
                }
                continue;
            }
            texts[cell] = Character.toString(c);
            roles[cell] = role;
            if (width == 2) {
                texts[cell + 1] = null;
                roles[cell + 1] = role;
            }
            at += width;
        }
        return at;
    }

    /** The text, or as much of it as takes {@code room} columns together with the ellipsis behind it. */
    static String clip(String text, int room) {
        if (width(text) <= room) {
            return text;
        }
        int used = 0;
        int end = 0;
        while (end < text.length()) {
            var c = text.codePointAt(end);
            if (used + width(c) > room - 1) {
                break;
            }
            used += width(c);
            end += Character.charCount(c);
        }
        return text.substring(0, end) + "…";
    }

    /** Columns that a text takes. */
    static int width(String text) {
        int width = 0;
        for (int i = 0; i < text.length(); ) {
            var c = text.codePointAt(i);
            width += width(c);
            i += Character.charCount(c);
        }
        return width;
    }

    private static int width(int c) {
        if (c < 0x7F) {
            return 1;
        }
        if (isJoining(c)) {
            return 0;
        }
        return Character.isEmojiPresentation(c) ? 2 : Math.max(0, WCWidth.wcwidth(c));
    }

    /** The picture as plain text, a line a row, without blanks at the ends. */
    @Override
    public String toString() {
        var lines = new StringBuilder();
        for (int y = 0; y < rows; y++) {
            var line = new StringBuilder();
            for (int x = 0; x < columns; x++) {
                var text = text(x, y);
                line.append(text == null ? "" : text);
            }
            lines.append(line.toString().stripTrailing()).append('\n');
        }
        return lines.toString();
    }
}
