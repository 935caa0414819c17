package dev.hydravisor.container;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.EventsGrpc;
import dev.hydravisor.container.containerd.api.EventsProto.SubscribeRequest;
import dev.hydravisor.container.containerd.api.TaskEventsProto.TaskExit;
import dev.hydravisor.container.containerd.api.TypesProto.Envelope;
import dev.hydravisor.operation.HydraException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hears containerd's events, also those of a containerd that came back; on each new connection all is to be looked at anew. */
final class Watch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Watch.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);
    // containerd does not say from when on it hears a subscriber; what it did in between is found by looking once more.
    private static final Duration SUBSCRIBING = Duration.ofMillis(500);

    private static final Set<String> ENDS = Set.of("/tasks/exit", "/tasks/oom", "/tasks/delete", "/containers/delete");

    /** Hears that something happened to a container, and whether it may have ended by it. */
    @FunctionalInterface
    interface Listener {
        void heard(String id, boolean ended);
    }

    private final Containerd containerd;
    private final Listener changed;
    private final Runnable connected;
    private final Runnable lost;
    private @Nullable Thread thread;
    private volatile @Nullable ClientCallStreamObserver<SubscribeRequest> call;
    private volatile boolean closed;

    /** {@code changed} hears each event, {@code connected} each connection, {@code lost} its end; on threads of their own. */
    Watch(Containerd containerd, Listener changed, Runnable connected, Runnable lost) {
        this.containerd = containerd;
        this.changed = changed;
        this.connected = connected;
        this.lost = lost;
    }

    /** Begins; again is no error. */
    synchronized void start() {
        if (thread == null) {
            thread = Thread.ofVirtual().name("containerd-events").start(this::run);
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (thread != null) {
            thread.interrupt();
        }
        var open = call;
        if (open != null) {
            open.cancel("no longer of interest", null);
        }
    }

    private void run() {
        try {
            while (true) {
                try {
                    var ended = subscribe();
                    Thread.ofVirtual().start(() -> {
                        look();
                        try {
                            Thread.sleep(SUBSCRIBING);
                            look();
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    });
                    ended.await();
                    lost.run();
                } catch (HydraException e) {
                    log.debug("no events: {}", e.text());
                }
                Thread.sleep(PAUSE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look() {
        if (!closed) {
            connected.run();
        }
    }

    private CountDownLatch subscribe() {
        var ended = new CountDownLatch(1);
        var mine = "namespace==" + containerd.namespace();
        EventsGrpc.newStub(containerd.channel())
                .subscribe(
                        SubscribeRequest.newBuilder()
                                .addFilters(mine + ",topic~=|^/tasks/|")
                                .addFilters(mine + ",topic~=|^/containers/delete$|")
                                .build(),
                        new ClientResponseObserver<SubscribeRequest, Envelope>() {
                            @Override
                            public void beforeStart(ClientCallStreamObserver<SubscribeRequest> stream) {
                                call = stream;
                            }

                            @Override
                            public void onNext(Envelope event) {
                                heard(event);
                            }

                            @Override
                            public void onError(Throwable e) {
                                log.debug("the events ended: {}", e.getMessage());
                                ended.countDown();
                            }

                            @Override
                            public void onCompleted() {
                                ended.countDown();
                            }
                        });
        return ended;
    }

    private void heard(Envelope event) {
        if (closed || event.getTopic().startsWith("/tasks/exec")) {
            return;
        }
        try {
            // Every event in question names its container first, and an exit which of its processes it was.
            var exit = TaskExit.parseFrom(event.getEvent().getValue());
            if (event.getTopic().equals("/tasks/exit") && !exit.getId().equals(exit.getContainerId())) {
                return;
            }
            var ended = ENDS.contains(event.getTopic());
            Thread.ofVirtual().start(() -> changed.heard(exit.getContainerId(), ended));
        } catch (InvalidProtocolBufferException e) {
            log.warn("an event `{}` that cannot be read", event.getTopic(), e);
        }
    }
}
