package dev.hydravisor.daemon;

import dev.hydravisor.console.Console;
import dev.hydravisor.console.Entry;
import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.Frame.Type;
import dev.hydravisor.wire.FrameChannel;
import dev.hydravisor.wire.Hello;
import dev.hydravisor.wire.Version;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One client: its hello, then its frames in and out until its command has ended. */
final class Connection {
    private static final Logger log = LoggerFactory.getLogger(Connection.class);

    private final FrameChannel channel;
    private final CompletableFuture<Console> console;
    private final Path history;
    private final String user;

    /** @param user who started the client */
    Connection(FrameChannel channel, CompletableFuture<Console> console, Path history, String user) {
        this.channel = channel;
        this.console = console;
        this.history = history;
        this.user = user;
    }

    /** Serves a client whose first frame is here already. Returns when it has gone. */
    void serve(Frame first) throws IOException {
        var hello = Hello.of(first);
        if (!hello.version().equals(Version.current())) {
            channel.write(Frame.of(
                    Type.REFUSED,
                    "hydrad is version " + Version.current() + ", this client is " + hello.version()
                            + "; `hydra daemon restart` starts the new one"));
            return;
        }
        var outbox = new Outbox(channel);
        var writer = Thread.ofVirtual().name("to client").start(outbox::drain);
        // A platform thread: it may wait in native code, which would hold a virtual thread's carrier.
        var worker = new Worker(outbox, hello);
        worker.thread.start();
        try {
            while (true) {
                worker.session.received(channel.read());
            }
        } catch (EOFException | java.nio.channels.ClosedChannelException e) {
            // The usual end.
        } catch (IOException | RuntimeException e) {
            log.warn("a client broke the protocol: {}", e.toString());
        } finally {
            worker.session.gone();
            writer.interrupt();
        }
    }

    private final class Worker {
        private final Thread thread;
        private final WireSession session;

        Worker(Outbox outbox, Hello hello) {
            thread = Thread.ofPlatform().daemon().name("session").unstarted(() -> run(outbox, hello));
            session = new WireSession(hello, user, outbox, thread::interrupt);
        }

        private void run(Outbox outbox, Hello hello) {
            var status = 1;
            try {
                status = Entry.serve(console, session, hello.arguments(), history);
            } catch (RuntimeException e) {
                log.error("a session failed", e);
            } finally {
                outbox.put(Frame.of(Type.EXIT, String.valueOf(status)));
            }
        }
    }
}
