package dev.hydravisor.dashboard;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A row of a list.
 *
 * @param id tells it from the others, also when it changes
 * @param name what people call it
 * @param subject the record that it shows
 */
record Row(String id, String name, List<Cell> cells, Object subject) {
    record Cell(String text, Role role) {}

    /**
     * A column.
     *
     * @param rank how dear it is: where there is no room for all, those of the highest rank go first
     * @param least columns below which it is not cut
     */
    record Column(String title, int rank, int least) {}

    /** What a filter looks at. */
    String text() {
        return cells.stream().map(Cell::text).collect(Collectors.joining(" "));
    }
}
