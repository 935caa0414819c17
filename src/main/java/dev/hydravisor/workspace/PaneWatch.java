package dev.hydravisor.workspace;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the panes whenever something happened to one: hooks of the server signal a channel that a waiting tmux client ends on,
 * so nothing is polled. The slow look besides is for what was missed.
 */
final class PaneWatch {
    private static final long SLOW_LOOK_SECONDS = 30;
    private static final long NO_SERVER_SECONDS = 60;
    private static final long RETRY_SECONDS = 5;
    private static final Logger log = LoggerFactory.getLogger(PaneWatch.class);

    private final Tmux tmux;
    private final BooleanSupplier look;
    private final Semaphore wake = new Semaphore(0);
    private volatile boolean stopped;
    private volatile @Nullable Thread thread;
    private volatile @Nullable Process waiting;

    /** {@code look} is false when there is no server. */
    PaneWatch(Tmux tmux, BooleanSupplier look) {
        this.tmux = tmux;
        this.look = look;
    }

    void start() {
        thread = Thread.ofVirtual().name("panes").start(this::run);
    }

    /** Lets a look that has begun come to its end: an interrupt could reach it in the middle of a write. */
    void stop() {
        stopped = true;
        wake();
        var process = waiting;
        if (process != null) {
            process.destroy();
        }
        var running = thread;
        if (running != null) {
            try {
                running.join(Duration.ofSeconds(5));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Says that there may be a server now. */
    void wake() {
        wake.release();
    }

    private void run() {
        try {
            while (!stopped) {
                var server = false;
                var failed = false;
                try {
                    server = look.getAsBoolean();
                } catch (HydraException e) {
                    failed = true;
                    log.warn("cannot look at the panes: {}", e.text());
                } catch (RuntimeException e) {
                    log.error("looking at the panes failed", e);
                }
                if (failed) {
                    wake.tryAcquire(RETRY_SECONDS, TimeUnit.SECONDS);
                } else if (!server || !waitForChange()) {
                    wake.tryAcquire(NO_SERVER_SECONDS, TimeUnit.SECONDS);
                }
                wake.drainPermits();
            }
        } catch (InterruptedException e) {
            log.debug("interrupted", e);
        }
    }

    private boolean waitForChange() throws InterruptedException {
        try {
            var process = tmux.waitForChange();
            waiting = process;
            try {
                if (!stopped) {
                    process.waitFor(SLOW_LOOK_SECONDS, TimeUnit.SECONDS);
                    Thread.sleep(20); // one look for a burst of changes
                }
            } finally {
                process.destroy();
            }
            return true;
        } catch (IOException e) {
            log.warn("cannot watch the panes: {}", e.getMessage());
            return false;
        }
    }
}
