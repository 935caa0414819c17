package dev.hydravisor.recorder;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Records terminals, all of them in this one process: {@code Recorder PIPES LOGS RULES}. For each pane tmux fills a named pipe in
 * PIPES, {@code <recording>.<unique>}, which outlives this process with what waits in it; so its death costs what it had read and
 * not written. It ends when there has been nothing to record for a while. What it does not read, the tmux server has to hold in
 * memory: so it never waits for anything but the pipes and the disk.
 */
public final class Recorder {
    private static final long IDLE_SECONDS = 3;

    private Recorder() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        var pipes = Path.of(args[0]);
        var logs = Path.of(args[1]);
        var rules = Path.of(args[2]);
        var active = ConcurrentHashMap.<Pane>newKeySet();
        Set<String> known = ConcurrentHashMap.newKeySet();
        var sync = new Thread(() -> sync(active), "sync");
        sync.setDaemon(true);
        sync.start();
        try (var watch = pipes.getFileSystem().newWatchService()) {
            pipes.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
            while (true) {
                for (var pipe : list(pipes)) {
                    if (known.add(pipe.getFileName().toString())) {
                        var pane = new Pane(pipe, logs, rules);
                        active.add(pane);
                        new Thread(
                                        null,
                                        () -> record(pane, active, known),
                                        pipe.getFileName().toString(),
                                        1 << 18)
                                .start();
                    }
                }
                var key = watch.poll(IDLE_SECONDS, TimeUnit.SECONDS);
                if (key != null) {
                    key.pollEvents();
                    key.reset();
                } else if (active.isEmpty() && list(pipes).isEmpty()) {
                    return;
                }
            }
        }
    }

    private static List<Path> list(Path pipes) throws IOException {
        try (var all = Files.list(pipes)) {
            return all.filter(p -> !p.getFileName().toString().startsWith(".")).toList();
        }
    }

    private static void record(Pane pane, Set<Pane> active, Set<String> known) {
        try {
            pane.run();
        } catch (IOException | RuntimeException e) {
            System.err.println(pane + ": " + e);
        } finally {
            active.remove(pane);
            known.remove(pane.toString());
        }
    }

    /** To the disk about once a second, apart from the reading: a slow disk must not hold it up. */
    private static void sync(Set<Pane> active) {
        try {
            while (true) {
                Thread.sleep(1000);
                active.forEach(Pane::sync);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
