package dev.hydravisor.dashboard;

import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * A list as its user moves in it: what is filtered out, what is selected, what is scrolled to. The selection follows its row when rows come
 * and go around it; but who is at the top of what happened stays there, and sees what happens.
 */
final class Rows {
    private final boolean newestFirst;
    private List<Row> all = List.of();
    private List<Row> shown = List.of();
    private String filter = "";
    private boolean literal;
    private int selected;
    private int top;

    Rows(boolean newestFirst) {
        this.newestFirst = newestFirst;
    }

    void set(List<Row> rows) {
        all = rows;
        apply();
    }

    /** Shows only rows that match the regular expression, upper or lower case; one that is none yet is looked for as it stands. */
    void filter(String regex) {
        filter = regex;
        apply();
    }

    String filter() {
        return filter;
    }

    /** Whether the filter is no regular expression. */
    boolean literal() {
        return literal;
    }

    int size() {
        return shown.size();
    }

    int total() {
        return all.size();
    }

    Row get(int index) {
        return shown.get(index);
    }

    int selectedIndex() {
        return selected;
    }

    @Nullable
    Row selected() {
        return shown.isEmpty() ? null : shown.get(selected);
    }

    void move(int by) {
        select(selected + by);
    }

    void select(int index) {
        selected = Math.clamp(index, 0, Math.max(0, shown.size() - 1));
    }

    /** Selects the row of that id, where it is shown. */
    void select(String id) {
        for (int i = 0; i < shown.size(); i++) {
            if (shown.get(i).id().equals(id)) {
                selected = i;
            }
        }
    }

    /** The first row to draw where there is room for so many, such that the selection is among them. */
    int top(int room) {
        top = Math.clamp(top, Math.max(0, selected - room + 1), selected);
        top = Math.min(top, Math.max(0, shown.size() - room));
        return top;
    }

    private void apply() {
        var before = selected();
        var atFirst = selected == 0;
        Pattern pattern;
        try {
            pattern = Pattern.compile(filter, Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);
            literal = false;
        } catch (PatternSyntaxException e) {
            pattern = Pattern.compile(Pattern.quote(filter), Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);
            literal = true;
        }
        var matching = pattern;
        shown = filter.isEmpty()
                ? all
                : all.stream().filter(r -> matching.matcher(r.text()).find()).toList();
        select(selected);
        if (before != null && !(newestFirst && atFirst)) {
            select(before.id());
        }
    }
}
