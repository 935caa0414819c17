package dev.hydravisor.dashboard;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Operation;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Something being done for the user in the background: its stages, as they go by. */
final class Job implements Operation.Listener {
    private static final Duration BETWEEN_PROGRESS = Duration.ofMillis(200);

    /** What became of a job. */
    enum State {
        RUNNING,
        DONE,
        FAILED
    }

    /**
     * A stage of it, or a notice.
     *
     * @param amount how far it is or how long it took
     */
    record Stage(String name, String amount, Role role) {}

    private final String id;
    private final String subject;
    private final String title;
    private final Instant started = Instant.now();
    private final Runnable changed;
    private final List<Stage> stages = new ArrayList<>();
    private State state = State.RUNNING;
    private @Nullable String error;
    private @Nullable Thread thread;
    private long lastProgress;

    /** @param subject the name of what it is done to */
    Job(String id, String subject, String title, Runnable changed) {
        this.id = id;
        this.subject = subject;
        this.title = title;
        this.changed = changed;
    }

    String id() {
        return id;
    }

    String subject() {
        return subject;
    }

    String title() {
        return title;
    }

    Instant started() {
        return started;
    }

    synchronized List<Stage> stages() {
        return List.copyOf(stages);
    }

    synchronized State state() {
        return state;
    }

    /** Why it failed; null unless it did. */
    synchronized @Nullable String error() {
        return error;
    }

    synchronized void runBy(Thread worker) {
        thread = worker;
    }

    /** Asks it to end; what it made is undone. */
    synchronized void cancel() {
        if (thread != null && state == State.RUNNING) {
            thread.interrupt();
        }
    }

    void ended(@Nullable String why) {
        synchronized (this) {
            state = why == null ? State.DONE : State.FAILED;
            error = why;
            thread = null;
        }
        changed.run();
    }

    @Override
    public void started(String stage) {
        put(new Stage(stage, "…", Role.BUSY), false);
    }

    @Override
    public void progress(String stage, long done, long total, String unit) {
        synchronized (this) {
            if (System.nanoTime() - lastProgress < BETWEEN_PROGRESS.toNanos()) {
                return;
            }
            lastProgress = System.nanoTime();
        }
        put(new Stage(stage, Texts.amount(done, total, unit), Role.BUSY), true);
    }

    @Override
    public void finished(String stage, Duration elapsed) {
        put(new Stage(stage, PlainText.seconds(elapsed), Role.GOOD), true);
    }

    @Override
    public void failed(String stage, Duration elapsed, String why) {
        put(new Stage(stage, "failed after " + PlainText.seconds(elapsed), Role.BAD), true);
    }

    @Override
    public void notice(String line) {
        put(new Stage(line, "", Role.DIM), false);
    }

    private void put(Stage stage, boolean replaces) {
        synchronized (this) {
            int at = stages.size() - 1;
            while (at >= 0
                    && !(stages.get(at).name().equals(stage.name())
                            && stages.get(at).role() == Role.BUSY)) {
                at--;
            }
            if (replaces && at >= 0) {
                stages.set(at, stage);
            } else {
                stages.add(stage);
            }
        }
        changed.run();
    }
}
