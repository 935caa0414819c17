package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowsTest {
    private static List<Row> named(String... names) {
        return Arrays.stream(names)
                .map(n -> new Row(n, n, List.of(new Row.Cell(n, Role.TEXT)), n))
                .toList();
    }

    private static Rows of(String... names) {
        var rows = new Rows(false);
        rows.set(named(names));
        return rows;
    }

    private static String selected(Rows rows) {
        var row = rows.selected();
        return row == null ? "" : row.name();
    }

    @Test
    void theSelectionFollowsItsRowWhenOthersComeAndGo() {
        var rows = of("b", "d");
        rows.move(1);
        rows.set(named("a", "b", "c", "d"));
        assertThat(selected(rows)).isEqualTo("d");
        rows.set(named("d"));
        assertThat(selected(rows)).isEqualTo("d");
    }

    @Test
    void whoIsAtTheTopOfWhatHappenedStaysThere() {
        var rows = new Rows(true);
        rows.set(named("first"));
        rows.set(named("second", "first"));
        assertThat(selected(rows)).isEqualTo("second");
        rows.move(1);
        rows.set(named("third", "second", "first"));
        assertThat(selected(rows)).isEqualTo("first");
    }

    @Test
    void whenTheSelectedRowGoesTheOneInItsPlaceIsSelected() {
        var rows = of("a", "b", "c");
        rows.move(1);
        rows.set(named("a", "c"));
        assertThat(selected(rows)).isEqualTo("c");
        rows.set(List.of());
        assertThat(rows.selected()).isNull();
    }

    @Test
    void aFilterKeepsTheSelectionWhereItMatches() {
        var rows = of("web", "db", "web-2");
        rows.move(2);
        rows.filter("^WEB");
        assertThat(rows.size()).isEqualTo(2);
        assertThat(selected(rows)).isEqualTo("web-2");
        rows.filter("");
        assertThat(selected(rows)).isEqualTo("web-2");
    }

    @Test
    void aFilterThatIsNoExpressionYetIsLookedForAsItStands() {
        var rows = of("a(1", "b");
        rows.filter("(");
        assertThat(rows.literal()).isTrue();
        assertThat(selected(rows)).isEqualTo("a(1");
    }

    @Test
    void theSelectionIsAlwaysInSight() {
        var names = new ArrayList<String>();
        for (int i = 0; i < 100; i++) {
            names.add("n" + i);
        }
        var rows = of(names.toArray(String[]::new));
        rows.move(50);
        assertThat(rows.top(10)).isEqualTo(41);
        rows.move(-5);
        assertThat(rows.top(10)).isEqualTo(41);
        rows.move(-1000);
        assertThat(rows.top(10)).isZero();
        rows.move(1000);
        assertThat(rows.top(10)).isEqualTo(90);
        rows.filter("n9[0-4]");
        assertThat(rows.top(10)).isZero();
    }
}
