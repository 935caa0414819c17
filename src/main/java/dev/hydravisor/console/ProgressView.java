package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Operation;
import java.time.Duration;
import java.util.Locale;

/** Shows an operation on stderr: a line a stage; on a terminal the running stage's line is drawn over as it proceeds. */
final class ProgressView implements Operation.Listener {
    private static final Duration REDRAW = Duration.ofMillis(100);

    private final Session session;
    private final boolean live;
    private boolean drawn;
    private long lastDraw;

    ProgressView(Session session) {
        this.session = session;
        this.live = session.errIsTerminal();
    }

    @Override
    public void started(String stage) {
        if (live) {
            draw(stage + " …");
        }
    }

    @Override
    public void progress(String stage, long done, long total, String unit) {
        if (!live || System.nanoTime() - lastDraw < REDRAW.toNanos()) {
            return;
        }
        lastDraw = System.nanoTime();
        draw(stage + " … " + amount(done, total, unit));
    }

    @Override
    public void finished(String stage, Duration elapsed) {
        line(stage + " " + seconds(elapsed));
    }

    @Override
    public void failed(String stage, Duration elapsed, String why) {
        line(stage + " failed after " + seconds(elapsed));
    }

    @Override
    public void notice(String line) {
        line("note: " + PlainText.safe(line));
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

    private static String seconds(Duration elapsed) {
        return String.format(Locale.ROOT, "%.1f s", elapsed.toMillis() / 1000.0);
    }

    private void draw(String text) {
        var width = Math.max(10, session.columns() - 1);
        var shown = text.length() > width ? text.substring(0, width) : text;
        session.err().print("\r\033[K" + shown);
        session.err().flush();
        drawn = true;
    }

    private void line(String text) {
        session.err().print((drawn ? "\r\033[K" : "") + text + System.lineSeparator());
        session.err().flush();
        drawn = false;
    }
}
