package dev.hydravisor.dashboard;

/** One line being typed, with its cursor. */
final class Line {
    private String text;
    private int cursor;

    Line(String text) {
        this.text = text;
        this.cursor = text.length();
    }

    String text() {
        return text;
    }

    void set(String now) {
        text = now;
        cursor = now.length();
    }

    /** Takes a key; false when it is none of editing. */
    boolean key(String key) {
        switch (key) {
            case "left" -> cursor = cursor == 0 ? 0 : text.offsetByCodePoints(cursor, -1);
            case "right" -> cursor = cursor == text.length() ? cursor : text.offsetByCodePoints(cursor, 1);
            case "home", "ctrl-a" -> cursor = 0;
            case "end", "ctrl-e" -> cursor = text.length();
            case "backspace" -> {
                if (cursor > 0) {
                    replace(text.offsetByCodePoints(cursor, -1), cursor, "");
                }
            }
            case "delete" -> {
                if (cursor < text.length()) {
                    replace(cursor, text.offsetByCodePoints(cursor, 1), "");
                }
            }
            case "ctrl-u" -> replace(0, cursor, "");
            case "ctrl-w" -> {
                var before = text.substring(0, cursor).stripTrailing();
                replace(before.lastIndexOf(' ') + 1, cursor, "");
            }
            case "space" -> insert(" ");
            default -> {
                // Half of a character that takes two chars comes as a key of its own.
                if (key.length() != 1) {
                    return false;
                }
                insert(key);
            }
        }
        return true;
    }

    private void insert(String what) {
        replace(cursor, cursor, what);
    }

    private void replace(int from, int to, String with) {
        text = text.substring(0, from) + with + text.substring(to);
        cursor = from + with.length();
    }

    /** Draws it with its cursor, the end in sight. */
    void draw(Frame frame, int x, int y, int width, boolean active) {
        var before = text.substring(0, cursor);
        var from = 0;
        while (Frame.width(before.substring(from)) > width - 3 && from < before.length()) {
            from += Character.charCount(before.codePointAt(from));
        }
        var at = frame.put(x, y, width, (from > 0 ? "…" : "") + text.substring(from), Role.TEXT);
        x += from > 0 ? 1 : 0;
        if (active) {
            var column = x + Frame.width(before.substring(from));
            if (column >= at) {
                frame.put(column, y, 1, " ", Role.SELECTED);
            }
            frame.paint(column, y, 1, Role.SELECTED);
        }
    }
}
