package dev.hydravisor.launch.endpoint;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What one client is told, in its order. Nobody who tells waits for the client: a thread sends while there is something to send. A client
 * that lets more pile up than the limits allow is dropped.
 */
final class Outbox {
    /** Sends one thing, and blocks until it is sent. */
    interface Sender {
        void text(String text) throws IOException;

        void ping() throws IOException;

        void close(int code, String reason);

        /** The client reads too slowly, or not at all. */
        void lost();
    }

    private sealed interface Item {
        record Text(String text, int bytes) implements Item {}

        record Ping() implements Item {}

        record Close(int code, String reason) implements Item {}
    }

    private final Sender sender;
    private final int mostItems;
    private final long mostBytes;
    private final Queue<Item> queue = new ArrayDeque<>();
    private final ReentrantLock lock = new ReentrantLock();
    private long bytes;
    private boolean sending;
    private boolean closed;

    Outbox(Sender sender, int mostItems, long mostBytes) {
        this.sender = sender;
        this.mostItems = mostItems;
        this.mostBytes = mostBytes;
    }

    void put(String text) {
        put(List.of(text), true);
    }

    /** As {@link #put}, however many wait already: what is told again has a bound of its own. */
    void putAll(List<String> texts) {
        put(texts, false);
    }

    private void put(List<String> texts, boolean bounded) {
        var slow = false;
        lock.lock();
        try {
            for (var text : texts) {
                // By way of bytes: half a character, as a model may say it, would break the connection.
                var encoded = text.getBytes(StandardCharsets.UTF_8);
                var item = new Item.Text(new String(encoded, StandardCharsets.UTF_8), encoded.length);
                slow |= bounded && (queue.size() >= mostItems || bytes + item.bytes > mostBytes);
                if (!slow) {
                    add(item, item.bytes);
                }
            }
        } finally {
            lock.unlock();
        }
        if (slow) {
            sender.lost();
        }
    }

    void ping() {
        lock.lock();
        try {
            if (queue.isEmpty()) {
                add(new Item.Ping(), 0);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Closes when all that waits is sent; nothing is taken any more. */
    void close(int code, String reason) {
        lock.lock();
        try {
            add(new Item.Close(code, reason), 0);
            closed = true;
        } finally {
            lock.unlock();
        }
    }

    /** Forgets what waits, and takes nothing any more. */
    void discard() {
        lock.lock();
        try {
            closed = true;
            queue.clear();
            bytes = 0;
        } finally {
            lock.unlock();
        }
    }

    private void add(Item item, long size) {
        if (closed) {
            return;
        }
        queue.add(item);
        bytes += size;
        if (!sending) {
            sending = true;
            Thread.ofVirtual().name("launch outbox").start(this::send);
        }
    }

    private @Nullable Item next() {
        lock.lock();
        try {
            var item = queue.poll();
            if (item instanceof Item.Text t) {
                bytes -= t.bytes;
            }
            sending = item != null;
            return item;
        } finally {
            lock.unlock();
        }
    }

    private void send() {
        try {
            for (var item = next(); item != null; item = next()) {
                switch (item) {
                    case Item.Text t -> sender.text(t.text);
                    case Item.Ping _ -> sender.ping();
                    case Item.Close c -> sender.close(c.code, c.reason);
                }
            }
        } catch (IOException | RuntimeException e) {
            // The client is gone, or took too long for one message.
            discard();
            sender.lost();
        }
    }
}
