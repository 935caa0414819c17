package dev.hydravisor.launch.endpoint;

import dev.hydravisor.launch.LaunchProperties.Limits;
import dev.hydravisor.launch.Rate;
import dev.hydravisor.request.Gate;
import dev.hydravisor.request.Refusal;
import io.github.bucket4j.Bucket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** Counts what clients do, and says when it is too much. */
final class Meter {
    /** Addresses remembered: who makes up more of them only has the oldest forgotten. */
    private static final int MOST_ADDRESSES = 10_000;

    private static final long OPERATION_RETRY_MILLIS = 1000;

    private final Limits limits;
    private final Map<String, Bucket> addresses = new LinkedHashMap<>(64, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Bucket> eldest) {
            return size() > MOST_ADDRESSES;
        }
    };
    private final Map<String, OfToken> tokens = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();

    Meter(Limits limits) {
        this.limits = limits;
    }

    /** @throws Refusal 429 */
    void handshake(InetAddress address) {
        Bucket bucket;
        synchronized (addresses) {
            bucket = addresses.computeIfAbsent(network(address), _ -> bucket(limits.handshakes()));
        }
        take(bucket, "too_many_handshakes", "too many handshakes from this address; at most " + limits.handshakes());
    }

    /** One host commonly has a /64 of IPv6 to itself. */
    private static String network(InetAddress address) {
        return address instanceof Inet6Address
                ? Arrays.toString(Arrays.copyOf(address.getAddress(), 8))
                : address.getHostAddress();
    }

    OfToken token(String id) {
        return tokens.computeIfAbsent(id, _ -> new OfToken());
    }

    void count(String what) {
        counts.computeIfAbsent(what, _ -> new LongAdder()).increment();
    }

    /** How often each thing was counted, by name. */
    Map<String, Long> counts() {
        var now = new TreeMap<String, Long>();
        counts.forEach((what, n) -> now.put(what, n.sum()));
        return now;
    }

    int operations() {
        return tokens.values().stream().mapToInt(t -> t.operations.get()).sum();
    }

    private void take(Bucket bucket, String reason, String message) {
        var probe = bucket.tryConsumeAndReturnRemaining(1);
        if (!probe.isConsumed()) {
            count(reason);
            // Rounded up: who waits that long is let in.
            throw Refusal.tooMany(reason, probe.getNanosToWaitForRefill() / 1_000_000 + 1, message);
        }
    }

    private static Bucket bucket(Rate rate) {
        return Bucket.builder()
                .addLimit(l -> l.capacity(rate.count()).refillGreedy(rate.count(), rate.span()))
                .build();
    }

    /** What one token does, on all its connections. */
    final class OfToken implements Gate {
        private final Bucket messages = bucket(limits.messages());
        private final Bucket launches = bucket(limits.launches());
        private final AtomicInteger operations = new AtomicInteger();

        /** @throws Refusal 429 */
        void message() {
            take(messages, "too_many_messages", "too many messages of this token; at most " + limits.messages());
        }

        @Override
        public void launch() {
            take(launches, "too_many_launches", "too many launches of this token; at most " + limits.launches());
        }

        @Override
        public Runnable operation() {
            if (operations.incrementAndGet() > limits.operations()) {
                operations.decrementAndGet();
                count("too_many_operations");
                throw Refusal.tooMany(
                        "too_many_operations",
                        OPERATION_RETRY_MILLIS,
                        "this token may have " + limits.operations() + " operations run at once; wait for one to end");
            }
            var running = new AtomicBoolean(true);
            return () -> {
                if (running.getAndSet(false)) {
                    operations.decrementAndGet();
                }
            };
        }
    }
}
