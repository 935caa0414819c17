package dev.hydravisor.model;

import dev.hydravisor.model.Provider.Patience;
import dev.hydravisor.operation.HydraException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.reactivestreams.Subscription;
import org.springframework.ai.chat.model.ChatResponse;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Signal;

/**
 * Brings an answer's stream to the thread that wants it: piece by piece, within the provider's patience. An interrupt of that thread
 * ends the stream, and so the model's work. A slow reader slows the stream instead of filling the memory.
 */
final class Answer {
    private static final int AHEAD = 64;

    private Answer() {}

    /** Blocks until the stream has ended; throws what it ended with, a {@link Silence} or an InterruptedException. */
    static void read(Flux<ChatResponse> stream, Patience patience, Consumer<ChatResponse> piece)
            throws InterruptedException {
        BlockingQueue<Signal<ChatResponse>> arrived = new LinkedBlockingQueue<>();
        var subscriber = new BaseSubscriber<Signal<ChatResponse>>() {
            @Override
            protected void hookOnSubscribe(Subscription subscription) {
                subscription.request(AHEAD);
            }

            @Override
            protected void hookOnNext(Signal<ChatResponse> signal) {
                arrived.add(signal);
            }
        };
        stream.materialize().subscribe(subscriber);
        try {
            var wait = patience.firstToken();
            while (true) {
                var signal = arrived.poll(wait.toMillis(), TimeUnit.MILLISECONDS);
                if (signal == null) {
                    throw new Silence(wait);
                }
                var response = signal.get();
                var failure = signal.getThrowable();
                if (failure != null) {
                    throw failure instanceof RuntimeException e ? e : new IllegalStateException(failure);
                }
                if (response == null) {
                    return;
                }
                piece.accept(response);
                subscriber.request(1);
                wait = patience.gap();
            }
        } finally {
            subscriber.cancel();
        }
    }

    /** Nothing came for too long. */
    static final class Silence extends HydraException {
        Silence(Duration waited) {
            super(
                    dev.hydravisor.operation.ExitCode.UNAVAILABLE,
                    "the model said nothing for "
                            + (waited.toMillis() % 1000 == 0 ? waited.toSeconds() + " s" : waited.toMillis() + " ms")
                            + "; ask again, or choose another model");
        }
    }
}
