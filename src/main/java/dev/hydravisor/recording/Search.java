package dev.hydravisor.recording;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Finds text in recordings, as it stood on the screen or was said. */
public final class Search {
    /** Where to look. */
    public enum Place {
        TERMINAL,
        DIALOG,
        INPUT
    }

    /**
     * What to look for.
     *
     * @param place null for everywhere
     * @param instance of this instance only; null for all
     * @param since recordings that were still going on then; null for all
     */
    public record Query(
            Pattern pattern,
            @Nullable Place place,
            @Nullable String instance,
            @Nullable Instant since) {
        boolean looksIn(Place where) {
            return place == null || place == where;
        }
    }

    /**
     * A line that matches.
     *
     * @param seconds when it was printed or said, since the start of its recording
     */
    public record Hit(String id, String instance, double seconds, Place place, String text) {}

    private Search() {}

    static void run(Archive archive, Recording recording, Archive.Meta meta, Query query, Consumer<Hit> found)
            throws IOException, InterruptedException {
        if (query.looksIn(Place.TERMINAL) && mayMatch(archive, recording, query.pattern())) {
            ScreenText.lines(archive, meta, (micros, text) -> {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                if (query.pattern().matcher(text).find()) {
                    found.accept(
                            new Hit(recording.id(), recording.instance(), micros / 1e6, Place.TERMINAL, text.strip()));
                }
            });
        }
        if (query.looksIn(Place.DIALOG) || query.looksIn(Place.INPUT)) {
            for (var entry : archive.dialog()) {
                var place = entry.kind().equals("input") ? Place.INPUT : Place.DIALOG;
                if (query.looksIn(place)) {
                    entry.content()
                            .lines()
                            .filter(l -> query.pattern().matcher(l).find())
                            .forEach(l -> found.accept(
                                    new Hit(recording.id(), recording.instance(), entry.time(), place, l.strip())));
                }
            }
        }
    }

    /** The log holds the same lines: where it has none that match, the screen need not be drawn again. */
    private static boolean mayMatch(Archive archive, Recording recording, Pattern pattern) throws IOException {
        if (recording.state() != Recording.State.ENDED || !archive.has(Archive.LOG)) {
            return true;
        }
        try (var lines = new BufferedReader(new InputStreamReader(archive.open(Archive.LOG), StandardCharsets.UTF_8))) {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                if (pattern.matcher(line).find()) {
                    return true;
                }
            }
            return false;
        }
    }
}
