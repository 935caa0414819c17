package dev.hydravisor.dashboard;

import dev.hydravisor.dashboard.Row.Column;
import dev.hydravisor.host.Check.Level;
import dev.hydravisor.host.ForeignText;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.ModelInfo;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Draws where the user is: views on top; the list, and beside it (below it on a narrow screen) what is known of the selection; hints or
 * what is typed; and the state of things at the foot.
 */
final class Painter {
    static final int LEAST_COLUMNS = 60;
    static final int LEAST_ROWS = 16;
    private static final int WIDE = 130;
    private static final int GAP = 2;
    private static final int WIDEST_CELL = 48;
    private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm");

    private record Content(String label, String text, Role role) {}

    private final Ui ui;
    private final String place;
    // Where the list was drawn last, for clicks.
    private int listTop;
    private int listFrom;
    private int listHeight;
    private int listWidth;

    /** @param place whose hydra this is, such as {@code vera@desk} */
    Painter(Ui ui, String place) {
        this.ui = ui;
        this.place = place;
    }

    /** The row of the list at a place of the screen; -1 where there is none. */
    int rowAt(int column, int row) {
        return row >= listTop && row < listTop + listHeight && column < listWidth ? listFrom + row - listTop : -1;
    }

    void draw(Frame frame) {
        if (frame.columns() < LEAST_COLUMNS || frame.rows() < LEAST_ROWS) {
            frame.put(0, 0, "the dashboard needs " + LEAST_COLUMNS + "x" + LEAST_ROWS, Role.TEXT);
            frame.put(0, 1, "this terminal is " + frame.columns() + "x" + frame.rows(), Role.TEXT);
            frame.put(0, 2, ui.keys().label(Action.QUIT) + " leaves", Role.DIM);
            return;
        }
        var page = ui.over();
        tabs(frame, page != null);
        var body = frame.rows() - 4;
        if (page != null) {
            frame.put(2, 2, frame.columns() - 3, page.title(), Role.TITLE);
            page.draw(frame, 4, frame.rows() - 7);
        } else if (frame.columns() >= WIDE) {
            var details = Math.clamp(frame.columns() * 3 / 10, 48, 100);
            var width = frame.columns() - details - 1;
            list(frame, 2, width, body - 1);
            for (int y = 2; y < frame.rows() - 3; y++) {
                frame.put(width, y, 1, "│", Role.DIM);
            }
            details(frame, width + 2, 2, frame.columns() - width - 3, body - 1, true);
        } else {
            var list = Math.max(6, body * 11 / 20);
            list(frame, 1, frame.columns(), list);
            details(frame, 1, list + 1, frame.columns() - 2, body - list + 1, false);
        }
        foot(frame, page);
        status(frame);
    }

    private void tabs(Frame frame, boolean covered) {
        var views = View.values();
        var all = Arrays.stream(views).mapToInt(v -> v.word().length() + 4).sum();
        int x = 1;
        for (var view : views) {
            var here = view == ui.view();
            var word = here || all <= frame.columns() ? view.word() : Frame.clip(view.word(), 5);
            var key = ui.keys().label(Action.valueOf("GO_" + view.name()));
            x = frame.put(x, 0, key, here && !covered ? Role.ACCENT : Role.DIM) + 1;
            x = frame.put(x, 0, word, here ? Role.TITLE : Role.DIM) + 2;
        }
    }

    private void list(Frame frame, int top, int width, int height) {
        var rows = ui.rows();
        var columns = Lists.columns(ui.view());
        var widths = widths(columns, rows, width - 2);
        int x = 1;
        for (int i = 0; i < widths.length; i++) {
            if (widths[i] > 0) {
                frame.put(x, top, widths[i], columns.get(i).title(), Role.LABEL);
                x += widths[i] + GAP;
            }
        }
        var room = height - 1;
        ui.page(room - 1);
        listTop = top + 1;
        listFrom = rows.top(room);
        listHeight = room;
        listWidth = width;
        if (rows.size() == 0) {
            nothing(frame, top + 2, width);
            return;
        }
        for (int y = 0; y < room && listFrom + y < rows.size(); y++) {
            var selected = listFrom + y == rows.selectedIndex();
            var bar = ui.inDetails() ? Role.MARKED : Role.SELECTED;
            if (selected) {
                frame.paint(0, listTop + y, width, bar);
            }
            row(frame, listTop + y, rows.get(listFrom + y), widths, selected ? bar : null);
        }
    }

    private static void row(Frame frame, int y, Row row, int[] widths, @Nullable Role bar) {
        int x = 1;
        for (int i = 0; i < widths.length; i++) {
            if (widths[i] > 0) {
                var cell = row.cells().get(i);
                frame.put(x, y, widths[i], cell.text(), bar == null ? cell.role() : bar);
                x += widths[i] + GAP;
            }
        }
    }

    private void nothing(Frame frame, int y, int width) {
        var view = ui.view();
        var error = ui.known().errors.get(view);
        String text;
        if (error != null) {
            text = error;
        } else if (!ui.known().heard.contains(view)) {
            text = "…";
        } else if (!ui.rows().filter().isEmpty()) {
            text = "nothing matches `" + ui.rows().filter() + "`; Esc shows all";
        } else {
            text = switch (view) {
                case INSTANCES -> "no instance yet; " + ui.keys().label(Action.CREATE) + " creates a VM";
                case WORKSPACES ->
                    "no workspace is open; " + ui.keys().label(Action.OPEN) + " on an instance opens one";
                case MODELS -> "no model; `hydra model pull` gets one";
                case IMAGES -> "no image yet; `hydra image pull` and `hydra image import` bring one";
                case RECORDINGS -> "nothing was recorded yet";
                case EVENTS -> "nothing happened yet";
                case JOBS -> "nothing is being done";
            };
        }
        for (var line : Texts.wrap(text, width - 4)) {
            frame.put(2, y, width - 3, line, error == null ? Role.DIM : Role.BAD);
            y++;
        }
    }

    /** Columns for each column; 0 for those there is no room for. */
    static int[] widths(List<Column> columns, Rows rows, int room) {
        var natural = new int[columns.size()];
        for (int i = 0; i < natural.length; i++) {
            natural[i] = columns.get(i).title().length();
        }
        for (int r = 0; r < rows.size(); r++) {
            var cells = rows.get(r).cells();
            for (int i = 0; i < natural.length; i++) {
                natural[i] = Math.max(natural[i], Frame.width(cells.get(i).text()));
            }
        }
        for (int i = 0; i < natural.length - 1; i++) {
            natural[i] = Math.min(natural[i], WIDEST_CELL);
        }
        var rank = columns.stream().mapToInt(Column::rank).max().orElse(0);
        int[] widths;
        do {
            widths = natural.clone();
            for (int i = 0; i < widths.length; i++) {
                if (columns.get(i).rank() > rank) {
                    widths[i] = 0;
                }
            }
            shrink(widths, columns, room);
            rank--;
        } while (total(widths) > room && rank >= 0);
        return widths;
    }

    /** Takes from the widest, a column at a time, down to what each needs at least. */
    private static void shrink(int[] widths, List<Column> columns, int room) {
        for (int over = total(widths) - room; over > 0; over--) {
            int widest = -1;
            for (int i = 0; i < widths.length; i++) {
                if (widths[i] > columns.get(i).least() && (widest < 0 || widths[i] >= widths[widest])) {
                    widest = i;
                }
            }
            if (widest < 0) {
                return;
            }
            widths[widest]--;
        }
    }

    private static int total(int[] widths) {
        return Arrays.stream(widths).filter(w -> w > 0).map(w -> w + GAP).sum() - GAP;
    }

    private void details(Frame frame, int x, int top, int width, int height, boolean beside) {
        var row = ui.rows().selected();
        if (!beside) {
            frame.put(0, top, "─".repeat(frame.columns()), Role.DIM);
        }
        if (row == null) {
            return;
        }
        var role = ui.inDetails() ? Role.ACCENT : Role.TITLE;
        frame.put(
                beside ? x : 2,
                top,
                width - 2,
                beside ? row.name() : " " + Frame.clip(row.name(), width - 8) + " ",
                role);
        var y0 = top + (beside ? 2 : 1);
        if (!beside && !ui.inDetails()) {
            var facts = new ArrayList<>(Lists.facts(row, ui.known()).entrySet());
            facts.removeIf(f -> f.getKey().equals("id") && !(row.subject() instanceof ModelInfo));
            y0 = facts(frame, x, y0, width, height - 1, facts);
        }
        var room = top + height - y0;
        var lines = content(row, width, room, beside);
        var from = Math.clamp(ui.detailsTop(), 0, Math.max(0, lines.size() - room));
        for (int i = 0; i < room && from + i < lines.size(); i++) {
            var line = lines.get(from + i);
            var y = y0 + i;
            var at = frame.put(x, y, width, line.label(), Role.LABEL);
            if (line.label().isEmpty()) {
                frame.put(x, y, width, line.text(), line.role());
            } else if (!line.text().isEmpty()) {
                var next = Math.max(at + 1, x + 11);
                frame.put(next, y, width - (next - x), line.text(), line.role());
            }
        }
    }

    /** What is told of a row: facts, what is being done with it, its dialog, and as much of its terminal as there is room for. */
    private List<Content> content(Row row, int width, int room, boolean beside) {
        var lines = new ArrayList<Content>();
        if (beside || ui.inDetails()) {
            for (var fact : Lists.facts(row, ui.known()).entrySet()) {
                var wrapped = Texts.wrap(fact.getValue(), Math.max(20, width - 11));
                for (int i = 0; i < wrapped.size(); i++) {
                    lines.add(new Content(i == 0 ? fact.getKey() : " ", wrapped.get(i), Role.TEXT));
                }
            }
        }
        jobs(row, lines);
        var known = ui.known().details;
        if (!known.instance().equals(row.name())) {
            return lines;
        }
        var gap = beside ? 1 : 0;
        var dialog = new ArrayList<Content>();
        for (var turn : known.turns()) {
            var who = turn.role() == DialogTurn.Role.USER ? "you" : "model";
            var wrapped = Texts.wrap(ForeignText.plain(turn.content()).strip().replace('\t', ' '), width - 11);
            for (int i = 0; i < wrapped.size(); i++) {
                dialog.add(new Content(
                        i == 0 ? who : " ",
                        wrapped.get(i),
                        turn.role() == DialogTurn.Role.USER ? Role.DIM : Role.TEXT));
            }
        }
        var terminal = new ArrayList<Content>();
        for (var line : known.terminal()) {
            terminal.add(new Content("", ForeignText.plain(line).replace('\t', ' '), Role.TEXT));
        }
        var left = ui.inDetails() ? Integer.MAX_VALUE / 2 : room - lines.size() - gap;
        var said = Math.min(dialog.size(), terminal.isEmpty() ? left : left / 2);
        if (said > 0) {
            lines.addAll(Collections.nCopies(gap, new Content("", "", Role.TEXT)));
            lines.addAll(dialog.subList(dialog.size() - said, dialog.size()));
        }
        left -= Math.max(0, said) + gap + (beside ? 1 : 0);
        var shown = Math.min(terminal.size(), left);
        if (shown > 0) {
            lines.addAll(Collections.nCopies(gap, new Content("", "", Role.TEXT)));
            if (beside) {
                lines.add(new Content("terminal", "", Role.LABEL));
            }
            lines.addAll(terminal.subList(terminal.size() - shown, terminal.size()));
        }
        return lines;
    }

    /** Below the list there is width, and no height: facts flow, as many to a line as fit. */
    private static int facts(Frame frame, int x, int y, int width, int room, List<Map.Entry<String, String>> facts) {
        int at = x;
        int line = y;
        for (var fact : facts) {
            var needed = Frame.width(fact.getKey()) + 1 + Frame.width(fact.getValue());
            if (at > x && at + needed > x + width) {
                at = x;
                line++;
            }
            if (line >= y + room) {
                return line;
            }
            at = frame.put(at, line, x + width - at, fact.getKey(), Role.LABEL) + 1;
            at = frame.put(at, line, x + width - at, fact.getValue(), Role.TEXT) + 3;
        }
        return line + 1;
    }

    private void jobs(Row row, List<Content> lines) {
        for (var job : ui.known().jobs) {
            var mine = row.subject() == job || job.subject().equals(row.name());
            if (mine && (row.subject() == job || job.state() == Job.State.RUNNING)) {
                for (var stage : job.stages()) {
                    lines.add(new Content(
                            stage.role() == Role.GOOD ? "✓" : stage.role() == Role.BAD ? "✗" : "◌",
                            stage.name() + "  " + stage.amount(),
                            stage.role() == Role.BAD ? Role.BAD : Role.TEXT));
                }
            }
        }
    }

    /** What is typed, else what there is to say, else the keys. */
    private void foot(Frame frame, @Nullable Page page) {
        var y = frame.rows() - 2;
        var prompt = ui.prompt();
        var message = ui.message();
        if (prompt != null) {
            var x = frame.put(1, y, prompt.label(), Role.ACCENT);
            prompt.line().draw(frame, x, y, frame.columns() - x - 1, true);
        } else if (message != null) {
            frame.put(1, y, frame.columns() - 2, message.text(), message.role());
        } else if (page != null) {
            frame.put(1, y, frame.columns() - 2, page.hints(), Role.DIM);
        } else {
            hints(frame, y);
        }
    }

    private void hints(Frame frame, int y) {
        int x = 1;
        var filter = ui.rows().filter();
        if (!filter.isEmpty()) {
            x = frame.put(x, y, 30, "/" + filter, Role.ACCENT) + 2;
        }
        var help = ui.keys().label(Action.HELP) + " keys";
        var end = frame.columns() - help.length() - 2;
        for (var action : Action.values()) {
            var label = ui.keys().label(action);
            var width = label.length() + action.hint().length() + 1;
            if (!action.hint().isEmpty() && !label.isEmpty() && action.views().contains(ui.view()) && x + width < end) {
                x = frame.put(x, y, label, Role.ACCENT) + 1;
                x = frame.put(x, y, action.hint(), Role.DIM) + 2;
            }
        }
        frame.put(end + 1, y, help.substring(0, help.indexOf(' ')), Role.ACCENT);
        frame.put(end + 1 + help.indexOf(' '), y, " keys", Role.DIM);
    }

    private void status(Frame frame) {
        var y = frame.rows() - 1;
        var known = ui.known();
        var rows = ui.rows();
        var place = (rows.size() == 0 ? 0 : rows.selectedIndex() + 1) + "/" + rows.size()
                + (rows.size() == rows.total() ? "" : " of " + rows.total());
        var running =
                known.jobs.stream().filter(j -> j.state() == Job.State.RUNNING).count();
        var right = (running == 0 ? "" : "◌ " + running + (running == 1 ? " job   " : " jobs   "))
                + place + "   "
                + CLOCK.format(LocalTime.ofInstant(ui.clock().instant(), ZoneId.systemDefault()));
        var end = frame.columns() - Frame.width(right) - 1;
        frame.put(end, y, right, Role.DIM);
        var x = frame.put(1, y, end - 2, "hydra " + this.place, Role.DIM) + 3;
        if (known.findings.isEmpty()) {
            return;
        }
        var wrong = known.findings.stream().filter(f -> f.level() != Level.OK).toList();
        if (wrong.isEmpty()) {
            frame.put(x, y, end - x - 1, "● all is well", Role.GOOD);
        }
        for (var finding : wrong) {
            var text = (finding.level() == Level.ERROR ? "✗ " : "! ") + finding.subject();
            if (x + Frame.width(text) < end - 1) {
                x = frame.put(x, y, end - x - 1, text, finding.level() == Level.ERROR ? Role.BAD : Role.BUSY) + 2;
            }
        }
    }
}
