package dev.hydravisor.dashboard;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hears of it when a terminal prints: its recording's folder is watched. A terminal that never stops is heard of five times a second. */
final class Follower {
    private static final Logger log = LoggerFactory.getLogger(Follower.class);
    private static final Duration CALM = Duration.ofMillis(200);

    private final Runnable printed;
    private @Nullable WatchService service;
    private @Nullable WatchKey key;
    private @Nullable Path folder;

    Follower(Runnable printed) {
        this.printed = printed;
    }

    /** Watches another folder; none for null. */
    synchronized void follow(@Nullable Path wanted) {
        if (Objects.equals(wanted, folder)) {
            return;
        }
        if (key != null) {
            key.cancel();
            key = null;
        }
        folder = wanted;
        if (wanted == null) {
            return;
        }
        try {
            key = wanted.register(watching(), StandardWatchEventKinds.ENTRY_MODIFY);
        } catch (IOException e) {
            log.debug("`{}` cannot be watched: {}", wanted, e.toString());
        }
    }

    private WatchService watching() throws IOException {
        var there = service;
        if (there == null) {
            var made = FileSystems.getDefault().newWatchService();
            service = made;
            Thread.ofVirtual().name("dashboard follower").start(() -> listen(made));
            return made;
        }
        return there;
    }

    private void listen(WatchService watching) {
        try {
            while (true) {
                var heard = watching.take();
                Thread.sleep(CALM);
                heard.pollEvents();
                heard.reset();
                printed.run();
            }
        } catch (ClosedWatchServiceException | InterruptedException e) {
            // Closed.
        }
    }

    synchronized void close() {
        try {
            if (service != null) {
                service.close();
            }
        } catch (IOException e) {
            log.debug("a watch could not be closed", e);
        }
    }
}
