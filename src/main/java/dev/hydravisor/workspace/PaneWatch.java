package dev.hydravisor.workspace;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.IOException;
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
    private static final long NO_SERVER_SECONDS = 300;
    private static final Logger log = LoggerFactory.getLogger(PaneWatch.class);

    private final Tmux tmux;
    private final BooleanSupplier look;
    private final Semaphore wake = new Semaphore(0);
    private volatile @Nullable Thread thread;

    /** {@code look} is false when there is no server. */
    PaneWatch(Tmux tmux, BooleanSupplier look) {
        this.tmux = tmux;
        this.look = look;
    }

    void start() {
        thread = Thread.ofVirtual().name("panes").start(this::run);
    }

    void stop() {
        var running = thread;
        if (running != null) {
            running.interrupt();
        }
    }

    /** Says that there may be a server now. */
    void wake() {
        wake.release();
    }

    private void run() {
        try {
            while (true) {
                if (looked()) {
                    waitForChange();
                    Thread.sleep(20); // one look for a burst of changes
                } else {
                    wake.tryAcquire(NO_SERVER_SECONDS, TimeUnit.SECONDS);
                }
                wake.drainPermits();
            }
        } catch (InterruptedException e) {
            // asked to stop
        }
    }

    private boolean looked() throws InterruptedException {
        try {
            return look.getAsBoolean();
        } catch (HydraException e) {
            log.warn("cannot look at the panes: {}", e.text());
        } catch (RuntimeException e) {
            log.error("looking at the panes failed", e);
        }
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        Thread.sleep(5000);
        return true;
    }

    private void waitForChange() throws InterruptedException {
        Process process;
        try {
            process = tmux.waitForChange();
        } catch (IOException e) {
            Thread.sleep(5000);
            return;
        }
        try {
            process.waitFor(SLOW_LOOK_SECONDS, TimeUnit.SECONDS);
        } finally {
            process.destroy();
        }
    }
}
