package dev.hydravisor.request;

import dev.hydravisor.inventory.LaunchEventRow;
import dev.hydravisor.inventory.LaunchEvents;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** The events of one token, numbered in their order, kept, and told to whoever follows. */
final class Feed {
    /** How many are kept: also the most that is ever told again at once. */
    static final int KEPT = 1000;

    private final String token;
    private final LaunchEvents events;
    private final List<Follower> followers = new CopyOnWriteArrayList<>();
    private final ReentrantLock lock = new ReentrantLock();
    private long last = -1;

    Feed(String token, LaunchEvents events) {
        this.token = token;
        this.events = events;
    }

    <T extends @Nullable Object> T locked(Supplier<T> work) {
        lock.lock();
        try {
            if (last < 0) {
                last = events.last(token);
            }
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    long last() {
        return locked(() -> last);
    }

    /** Numbers an event, keeps it and tells it. */
    String append(@Nullable UUID launch, ObjectNode body) {
        return locked(() -> {
            var number = last + 1;
            body.put("event", number);
            var text = body.toString();
            events.save(new LaunchEventRow(token, number, launch, text));
            last = number;
            if (number % 100 == 0) {
                events.deleteByTokenIdAndNumberLessThan(token, number - KEPT + 1);
            }
            var event = new Event(number, launch, text);
            followers.forEach(f -> f.hear(event));
            return text;
        });
    }

    /** Tells something that is neither numbered nor kept. */
    void mention(UUID launch, ObjectNode body) {
        var event = new Event(0, launch, body.toString());
        locked(() -> {
            followers.forEach(f -> f.hear(event));
            return 0;
        });
    }

    /** Those after a number that are still kept, oldest first. */
    List<Event> after(long number) {
        return events.findByTokenIdAndNumberGreaterThanOrderByNumber(token, Math.max(number, last - KEPT)).stream()
                .map(row -> new Event(row.number(), row.requestId(), row.body()))
                .toList();
    }

    void add(Follower follower) {
        followers.add(follower);
    }

    void remove(Follower follower) {
        followers.remove(follower);
    }
}
