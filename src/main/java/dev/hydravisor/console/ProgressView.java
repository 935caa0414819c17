package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Operation.Part;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Shows an operation on stderr: a line a stage; on a terminal the running stage's line, and one for each of the things it does at
 * once, are drawn over as it proceeds. Without a terminal each of these things has a line when it is done.
 */
final class ProgressView implements Operation.Listener {
    private static final Duration REDRAW = Duration.ofMillis(100);
    private static final int BAR = 16;
    /** Lines for the parts of a stage: more would scroll, and a line that has scrolled away cannot be drawn over. */
    private static final int MOST_LINES = 12;

    /** When a part was first seen at work, and how far it was then. */
    private record Beginning(long nanos, long done) {}

    private final Session session;
    private final boolean live;
    private final Map<String, Beginning> beginnings = new HashMap<>();
    private final Set<String> told = new HashSet<>();
    private int drawn;
    private long lastDraw;

    ProgressView(Session session) {
        this.session = session;
        this.live = session.errIsTerminal();
    }

    @Override
    public void started(String stage) {
        beginnings.clear();
        told.clear();
        if (live) {
            draw(List.of(stage + " …"));
        }
    }

    @Override
    public void progress(String stage, long done, long total, String unit) {
        if (live && isTime()) {
            draw(List.of(stage + " … " + amount(done, total, unit)));
        }
    }

    @Override
    public void progress(String stage, List<Part> parts) {
        for (var part : parts) {
            if (part.done() > 0) {
                beginnings.putIfAbsent(part.name(), new Beginning(System.nanoTime(), part.done()));
            }
            if (!live && part.phase().equals("done") && told.add(part.name())) {
                line(part.name() + " " + amount(part.total(), -1, part.unit()));
            }
        }
        if (live && isTime()) {
            var lines = new ArrayList<String>();
            var finished = parts.stream().filter(p -> p.phase().equals("done")).count();
            lines.add(stage + " … " + finished + " of " + parts.size());
            // Those that are done go first when there is no room for all.
            parts.stream()
                    .filter(p -> parts.size() <= MOST_LINES || !p.phase().equals("done"))
                    .limit(MOST_LINES)
                    .forEach(p -> lines.add(describe(p)));
            draw(lines);
        }
    }

    @Override
    public void finished(String stage, Duration elapsed) {
        line(stage + " " + PlainText.seconds(elapsed));
    }

    @Override
    public void failed(String stage, Duration elapsed, String why) {
        line(stage + " failed after " + PlainText.seconds(elapsed));
    }

    @Override
    public void notice(String line) {
        line("note: " + PlainText.safe(line));
    }

    private boolean isTime() {
        if (System.nanoTime() - lastDraw < REDRAW.toNanos()) {
            return false;
        }
        lastDraw = System.nanoTime();
        return true;
    }

    private String describe(Part part) {
        var filled = part.total() <= 0 ? 0 : (int) (BAR * Math.min(part.done(), part.total()) / part.total());
        // All of it fits a terminal of 80 columns.
        var amount = part.unit().equals("bytes") && part.total() >= 0
                ? PlainText.bytes(part.done()) + " of " + PlainText.bytes(part.total())
                : amount(part.done(), part.total(), part.unit());
        return "  " + part.name() + " [" + "#".repeat(filled) + " ".repeat(BAR - filled) + "] " + amount + rate(part)
                + " " + part.phase();
    }

    /** How fast a part comes in, on average since it began; empty until that can be said, and once it is here. */
    private String rate(Part part) {
        var beginning = beginnings.get(part.name());
        if (beginning == null || part.done() == part.total() || !part.unit().equals("bytes")) {
            return "";
        }
        var seconds = (System.nanoTime() - beginning.nanos()) / 1e9;
        return seconds < 0.3 ? "" : " " + PlainText.bytes((long) ((part.done() - beginning.done()) / seconds)) + "/s";
    }

    private static String amount(long done, long total, String unit) {
        if (unit.equals("bytes")) {
            return total < 0
                    ? PlainText.bytes(done)
                    : PlainText.bytes(done) + " of " + PlainText.bytes(total) + " ("
                            + (total == 0 ? 100 : 100 * done / total) + " %)";
        }
        return total < 0 ? done + " " + unit : done + " of " + total + " " + unit;
    }

    private void draw(List<String> lines) {
        var width = Math.max(10, session.columns() - 1);
        var text = new StringBuilder(clear());
        for (int i = 0; i < lines.size(); i++) {
            var line = lines.get(i);
            // In raw mode the terminal adds no carriage return.
            text.append(i == 0 ? "" : "\r\n").append(line.length() > width ? line.substring(0, width) : line);
        }
        session.err().print(text);
        session.err().flush();
        drawn = lines.size();
    }

    private void line(String text) {
        session.err().print(clear() + text + System.lineSeparator());
        session.err().flush();
        drawn = 0;
    }

    /** Goes back to the beginning of what was drawn, and clears from there on. */
    private String clear() {
        return drawn == 0 ? "" : (drawn == 1 ? "" : "\033[" + (drawn - 1) + "A") + "\r\033[J";
    }
}
