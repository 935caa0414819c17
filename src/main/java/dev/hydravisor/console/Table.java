package dev.hydravisor.console;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * How records of one type are shown to a person. Programs get the records themselves ({@code -o json}).
 *
 * @param name what {@code -o name} prints of a row
 */
public record Table<T>(Function<T, String> name, List<Column<T>> columns) {
    /** A column; an empty cell shows as {@code -}. */
    public record Column<T>(String title, Function<T, String> cell) {}

    /** Begins a table whose first column is the row's name. */
    public static <T> Table<T> named(String title, Function<T, String> name) {
        return new Table<>(name, List.of(new Column<>(title, name)));
    }

    public Table<T> column(String title, Function<T, String> cell) {
        var more = new ArrayList<>(columns);
        more.add(new Column<>(title, cell));
        return new Table<>(name, List.copyOf(more));
    }
}
