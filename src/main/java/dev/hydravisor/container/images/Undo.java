package dev.hydravisor.container.images;

import dev.hydravisor.operation.HydraException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Taking away again what was made half: also on a thread that was interrupted, and without hiding why. */
final class Undo {
    private static final Logger log = LoggerFactory.getLogger(Undo.class);

    private Undo() {}

    static void quietly(Runnable action) {
        var interrupted = Thread.interrupted();
        try {
            action.run();
        } catch (HydraException e) {
            log.warn("could not take away what was made half: {}", e.text());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
