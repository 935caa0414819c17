package dev.hydravisor.operation;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Work that takes more than a moment: a sequence of named stages that can be watched, each undone, last first, when a
 * later one fails. It runs on the caller's thread and is cancelled by interrupting that thread.
 *
 * <pre>{@code
 * operation.run(() -> {
 *     var disk = operation.stage("creating disk", () -> volumes.create(name));
 *     operation.onFailure("disk", () -> volumes.delete(disk));
 *     operation.stage("booting", () -> domain.start());
 * });
 * }</pre>
 */
public final class Operation {
    private static final Logger log = LoggerFactory.getLogger(Operation.class);

    /** Watches an operation. Called on the operation's thread; must not throw or block for long. */
    public interface Listener {
        /** A stage began, such as {@code creating disk}. */
        void started(String stage);

        /** How far the running stage is: done of total, in the unit named ({@code bytes}, {@code s}); total is -1 when unknown. */
        default void progress(String stage, long done, long total, String unit) {}

        /** As {@link #progress(String, long, long, String)}, for a stage that does several things at once: all of them, in their order. */
        default void progress(String stage, List<Part> parts) {}

        void finished(String stage, Duration elapsed);

        default void failed(String stage, Duration elapsed, String why) {}

        /** One line the user should see although nothing failed, such as a fallback taken. */
        default void notice(String line) {}

        /** Hears nothing. */
        static Listener silent() {
            return new Listener() {
                @Override
                public void started(String stage) {}

                @Override
                public void finished(String stage, Duration elapsed) {}
            };
        }
    }

    /** An action that makes something or takes it away again. */
    @FunctionalInterface
    public interface Action {
        void run() throws Exception;
    }

    /**
     * One of several things a stage does at once, such as a layer of an image.
     *
     * @param phase what is being done to it, such as {@code unpacking}; {@code done} at its end
     * @param total in the unit named; -1 when unknown
     */
    public record Part(String name, String phase, long done, long total, String unit) {}

    private record Undo(String what, Action action) {}

    private final Listener listener;
    private final Deque<Undo> undos = new ArrayDeque<>();
    private @Nullable String current;
    private int depth;

    public Operation(Listener listener) {
        this.listener = listener;
    }

    /** An operation nobody watches. */
    public static Operation silent() {
        return new Operation(Listener.silent());
    }

    /**
     * Runs the whole; when it fails or is cancelled, what the stages had made is undone before the error is passed on. Nested
     * calls join the outermost one.
     *
     * @throws HydraException as the stages throw it; INTERRUPTED when the thread was interrupted
     */
    public <T extends @Nullable Object> T call(Callable<T> work) {
        depth++;
        try {
            return work.call();
        } catch (Exception e) {
            var failure = asHydra(e);
            if (depth == 1) {
                undo();
            }
            throw failure;
        } finally {
            depth--;
            if (depth == 0) {
                undos.clear();
            }
        }
    }

    /** As {@link #call} without a result. */
    public void run(Action work) {
        this.<@Nullable Void>call(() -> {
            work.run();
            return null;
        });
    }

    /** Runs one named stage. Its error carries the stage's name to the listener, and is passed on. */
    public <T extends @Nullable Object> T stage(String name, Callable<T> work) {
        if (Thread.currentThread().isInterrupted()) {
            throw HydraException.interrupted();
        }
        var outer = current;
        var start = System.nanoTime();
        current = name;
        listener.started(name);
        try {
            var result = work.call();
            listener.finished(name, Duration.ofNanos(System.nanoTime() - start));
            return result;
        } catch (Exception e) {
            var failure = asHydra(e);
            listener.failed(name, Duration.ofNanos(System.nanoTime() - start), failure.text());
            throw failure;
        } finally {
            current = outer;
        }
    }

    /** As {@link #stage(String, Callable)} without a result. */
    public void stage(String name, Action work) {
        this.<@Nullable Void>stage(name, () -> {
            work.run();
            return null;
        });
    }

    /**
     * Says what takes away again what was just made, should a later stage fail. It is run again when an interrupt cut it off.
     *
     * @param what names it for the log
     */
    public void onFailure(String what, Action action) {
        undos.push(new Undo(what, action));
    }

    public void progress(long done, long total, String unit) {
        if (current != null) {
            listener.progress(current, done, total, unit);
        }
    }

    /** Says how far each of the things is that the running stage does at once. */
    public void progress(List<Part> parts) {
        if (current != null) {
            listener.progress(current, parts);
        }
    }

    public void notice(String line) {
        listener.notice(line);
    }

    private void undo() {
        // A cancelled thread must still be able to wait for what it takes away.
        var interrupted = Thread.interrupted();
        while (!undos.isEmpty()) {
            var undo = undos.pop();
            try {
                undo.action().run();
            } catch (Exception e) {
                var failure = asHydra(e);
                if (Thread.interrupted()) {
                    // It came just now, and is no reason to leave something behind.
                    interrupted = true;
                    undos.push(undo);
                    continue;
                }
                log.warn("could not undo {}", undo.what(), e);
                listener.notice("could not remove the " + undo.what() + " again: " + failure.text());
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static HydraException asHydra(Exception e) {
        return switch (e) {
            case HydraException h -> h;
            case InterruptedException _ -> {
                Thread.currentThread().interrupt();
                yield HydraException.interrupted();
            }
            case java.nio.channels.ClosedByInterruptException _ -> HydraException.interrupted();
            default -> HydraException.failed(e.getMessage() == null ? e.toString() : e.getMessage(), e);
        };
    }
}
