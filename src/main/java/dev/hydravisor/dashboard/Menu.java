package dev.hydravisor.dashboard;

import java.util.List;
import java.util.function.Consumer;

/** One of several to be chosen; typing narrows them down. */
final class Menu implements Page {
    private final String title;
    private final String empty;
    private final Consumer<String> chosen;
    private final Rows rows = new Rows(false);

    /** @param empty what to say when there is nothing to choose from */
    Menu(String title, List<String> choices, String empty, Consumer<String> chosen) {
        this.title = title;
        this.empty = empty;
        this.chosen = chosen;
        rows.set(choices.stream()
                .map(c -> new Row(c, c, List.of(new Row.Cell(c, Role.TEXT)), c))
                .toList());
    }

    @Override
    public String title() {
        return title + (rows.filter().isEmpty() ? "" : "  /" + rows.filter());
    }

    @Override
    public String hints() {
        return "↑ ↓ select   type to narrow   Enter choose   Esc back";
    }

    @Override
    public void draw(Frame frame, int top, int height) {
        if (rows.size() == 0) {
            frame.put(2, top, frame.columns() - 3, rows.total() == 0 ? empty : "nothing matches", Role.DIM);
            return;
        }
        var from = rows.top(height);
        for (int y = 0; y < height && from + y < rows.size(); y++) {
            var selected = from + y == rows.selectedIndex();
            if (selected) {
                frame.paint(1, top + y, frame.columns() - 2, Role.SELECTED);
            }
            frame.put(2, top + y, frame.columns() - 4, rows.get(from + y).name(), selected ? Role.SELECTED : Role.TEXT);
        }
    }

    @Override
    public boolean key(String key) {
        switch (key) {
            case "up" -> rows.move(-1);
            case "down", "tab" -> rows.move(1);
            case Keys.ESCAPE -> {
                return false;
            }
            case Keys.ENTER -> {
                var row = rows.selected();
                if (row != null) {
                    chosen.accept(row.name());
                }
                return row == null;
            }
            default -> {
                var line = new Line(rows.filter());
                line.key(key);
                rows.filter(line.text());
            }
        }
        return true;
    }
}
