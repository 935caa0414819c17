package dev.hydravisor.request;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;

/** One connection's ear on its token's events: it hears each at most once. */
public final class Follower implements AutoCloseable {
    private final Feed feed;
    private final Consumer<List<Event>> out;
    private final Set<UUID> launches = new HashSet<>();
    private boolean all;

    /** @param out must not block */
    Follower(Feed feed, Consumer<List<Event>> out) {
        this.feed = feed;
        this.out = out;
        feed.add(this);
    }

    /**
     * Hears all events from now on, and first those after {@code number} that are still kept; a negative number means none.
     *
     * @param first is told the number of the last event so far, before any event
     */
    public void all(long number, Consumer<Long> first) {
        feed.locked(() -> {
            first.accept(feed.last());
            if (!all) {
                all = true;
                replay(feed.after(number < 0 ? feed.last() : number).stream()
                        .filter(e -> e.launch() == null || !launches.contains(e.launch()))
                        .toList());
            }
            return 0;
        });
    }

    /** As {@link #all}, of one launch. */
    void launch(UUID launch, long number) {
        feed.locked(() -> {
            if (!all && launches.add(launch)) {
                replay(feed.after(number).stream()
                        .filter(e -> launch.equals(e.launch()))
                        .toList());
            }
            return 0;
        });
    }

    private void replay(List<Event> events) {
        if (!events.isEmpty()) {
            out.accept(events);
        }
    }

    /** Whether it hears all events. */
    public boolean hearsAll() {
        return feed.locked(() -> all);
    }

    void hear(Event event) {
        if (all || (event.launch() != null && launches.contains(event.launch()))) {
            out.accept(List.of(event));
        }
    }

    @Override
    public void close() {
        feed.remove(this);
    }
}
