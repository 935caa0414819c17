package dev.hydravisor.dashboard;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** All keys of a view. */
final class Help implements Page {
    private record Entry(String keys, String help) {}

    private final View view;
    private final List<Entry> entries = new ArrayList<>();
    private int top;
    private int last;

    Help(View view, Keys keys) {
        this.view = view;
        Arrays.stream(Action.values())
                .filter(a -> a.views().contains(view) && !keys.of(a).isEmpty())
                .sorted(java.util.Comparator.comparing(a -> a.views().size() == View.values().length))
                .forEach(a -> entries.add(
                        new Entry(keys.of(a).stream().map(Keys::label).collect(Collectors.joining(" ")), a.help())));
    }

    @Override
    public String title() {
        return "keys of " + view.word();
    }

    @Override
    public String hints() {
        return "↑ ↓ scroll   Esc back   docs/keys.md says how to change them";
    }

    @Override
    public void draw(Frame frame, int at, int height) {
        var columns = frame.columns() >= 100 ? 2 : 1;
        var lines = (entries.size() + columns - 1) / columns;
        last = Math.max(0, lines - height);
        top = Math.min(top, last);
        var width = (frame.columns() - 2) / columns;
        for (int i = 0; i < entries.size(); i++) {
            var y = i % lines - top;
            if (y >= 0 && y < height) {
                var x = 2 + i / lines * width;
                frame.put(x, at + y, 14, entries.get(i).keys(), Role.ACCENT);
                frame.put(x + 15, at + y, width - 16, entries.get(i).help(), Role.TEXT);
            }
        }
    }

    @Override
    public boolean key(String key) {
        switch (key) {
            case "up", "k" -> top = Math.max(0, top - 1);
            case "down", "j" -> top = Math.min(last, top + 1);
            case "pageup" -> top = 0;
            case "pagedown" -> top = last;
            default -> {
                return false;
            }
        }
        return true;
    }
}
