package dev.hydravisor.dashboard;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Reads something when asked, once at a time: asked again meanwhile, it reads once more afterwards. */
final class Reader {
    private final Executor workers;
    private final Runnable work;
    private boolean busy;
    private boolean again;

    Reader(Executor workers, Runnable work) {
        this.workers = workers;
        this.work = work;
    }

    synchronized void ask() {
        if (busy) {
            again = true;
            return;
        }
        busy = true;
        try {
            workers.execute(this::read);
        } catch (RejectedExecutionException e) {
            // Its dashboard was left.
        }
    }

    private void read() {
        do {
            try {
                work.run();
            } catch (RuntimeException e) {
                stop();
                throw e;
            }
        } while (more());
    }

    private synchronized boolean more() {
        var more = again;
        again = false;
        busy = more;
        return more;
    }

    private synchronized void stop() {
        busy = false;
    }
}
