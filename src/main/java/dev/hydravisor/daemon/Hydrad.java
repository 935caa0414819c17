package dev.hydravisor.daemon;

import dev.hydravisor.client.IdleMemory;
import dev.hydravisor.console.Console;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.launch.LaunchService;
import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.Frame.Type;
import dev.hydravisor.wire.FrameChannel;
import dev.hydravisor.wire.Rendezvous;
import dev.hydravisor.wire.Version;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * hydrad. The socket opens first and everything else comes up behind it, so that a prompt is there at once. One a home: it holds a lock
 * as long as it lives, and a second one leaves quietly.
 */
public final class Hydrad implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Hydrad.class);

    private final Rendezvous rendezvous;
    private final Supplier<ConfigurableApplicationContext> application;
    private final CompletableFuture<Console> console = new CompletableFuture<>();
    private final Set<FrameChannel> clients = ConcurrentHashMap.newKeySet();
    private volatile @Nullable ConfigurableApplicationContext context;
    private final long started = System.nanoTime();
    private volatile long served;

    private Hydrad(Rendezvous rendezvous, Supplier<ConfigurableApplicationContext> application) {
        this.rendezvous = rendezvous;
        this.application = application;
    }

    /**
     * Runs the daemon until it is stopped.
     *
     * @param application starts the application context
     * @return the exit status
     */
    public static int run(Path home, Supplier<ConfigurableApplicationContext> application) throws IOException {
        var rendezvous = Rendezvous.in(home).check();
        var folders = new HydraHome(home);
        folders.run();
        folders.db();
        var held = lock(rendezvous);
        if (held == null) {
            log.info("another hydrad serves `{}`", home);
            return 0;
        }
        try (var hydrad = new Hydrad(rendezvous, application);
                var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            // Left over from one that was killed: the lock is ours, so nobody listens.
            Files.deleteIfExists(rendezvous.socket());
            server.bind(UnixDomainSocketAddress.of(rendezvous.socket()));
            Files.writeString(
                    rendezvous.pid(), String.valueOf(ProcessHandle.current().pid()));
            Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(hydrad::close));
            Thread.ofPlatform().name("start").start(hydrad::startApplication);
            IdleMemory.watch(() -> hydrad.served, System::gc);
            hydrad.accept(server);
        } finally {
            held.close();
        }
        return 0;
    }

    /** Serves one client that is in this very process, without a socket, to its end. */
    public static void serveInProcess(
            Path home, SocketChannel client, Supplier<ConfigurableApplicationContext> application) throws IOException {
        var rendezvous = Rendezvous.in(home);
        var folders = new HydraHome(home);
        folders.run();
        folders.db();
        try (var hydrad = new Hydrad(rendezvous, application)) {
            Thread.ofPlatform().name("start").start(hydrad::startApplication);
            hydrad.serve(new FrameChannel(client), System.getProperty("user.name"));
        }
    }

    private void startApplication() {
        try {
            var up = application.get();
            context = up;
            console.complete(up.getBean(Console.class));
            log.info("up after {} ms", (System.nanoTime() - started) / 1_000_000);
            var limit = Binder.get(up.getEnvironment())
                    .bind("daemon.stop-when-idle", Duration.class)
                    .orElse(Duration.ZERO);
            if (limit.isPositive()) {
                Thread.ofVirtual().name("idle stop").start(() -> stopWhenIdle(limit, up.getBean(LaunchService.class)));
            }
        } catch (RuntimeException e) {
            log.error("cannot start", e);
            console.completeExceptionally(e);
            leave();
        }
    }

    /** Stops once nobody has been connected for so long, nor can be by the launch endpoint. What runs goes on, and the next command starts it again. */
    private void stopWhenIdle(Duration limit, LaunchService launch) {
        var quietSince = System.nanoTime();
        var seen = served;
        while (System.nanoTime() - quietSince < limit.toNanos()) {
            try {
                Thread.sleep(Math.min(1000, limit.toMillis()));
            } catch (InterruptedException e) {
                return;
            }
            if (!clients.isEmpty() || served != seen || launch.isOpen()) {
                seen = served;
                quietSince = System.nanoTime();
            }
        }
        log.info("stopping, idle for {} s", limit.toSeconds());
        System.exit(0);
    }

    /** Whoever waits is told why, and the next command starts a daemon anew: the cause may be mended by then. */
    private static void leave() {
        try {
            Thread.sleep(1000);
        } catch (InterruptedException e) {
            // Then now.
        }
        System.exit(1);
    }

    private void accept(ServerSocketChannel server) throws IOException {
        var me = Files.getOwner(rendezvous.socket()).getName();
        while (true) {
            SocketChannel client = server.accept();
            served++;
            var peer =
                    client.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
            if (!peer.equals(me) && !peer.equals("root")) {
                log.warn("refused a client of the user `{}`", peer);
                client.close();
                continue;
            }
            Thread.ofVirtual().name("client").start(() -> serve(new FrameChannel(client), peer));
        }
    }

    private void serve(FrameChannel channel, String user) {
        clients.add(channel);
        try (channel) {
            var first = channel.read();
            if (first.type() == Type.CONTROL) {
                control(channel, first.text());
            } else {
                new Connection(channel, console, rendezvous.lock().resolveSibling("history"), user).serve(first);
            }
        } catch (IOException e) {
            log.debug("a client went away: {}", e.toString());
        } finally {
            clients.remove(channel);
        }
    }

    private void control(FrameChannel channel, String verb) throws IOException {
        var pid = ProcessHandle.current().pid();
        if (verb.equals("stop")) {
            channel.write(Frame.of(Type.CONTROL_REPLY, pid + "\n"));
            log.info("stopping, as asked");
            // Apart, so that this connection can end: exit waits for the hooks, which close it.
            Thread.ofPlatform().name("stop").start(() -> System.exit(0));
            return;
        }
        var state = !console.isDone() ? "starting" : console.isCompletedExceptionally() ? "failed to start" : "running";
        var seconds = (System.nanoTime() - started) / 1_000_000_000;
        channel.write(Frame.of(
                Type.CONTROL_REPLY,
                "hydrad is " + state + "\n  version:  " + Version.current() + "\n  pid:      " + pid + "\n  up:       "
                        + seconds + " s\n  memory:   " + Memory.residentMib() + " MiB\n  clients:  "
                        + (clients.size() - 1) + "\n  socket:   " + rendezvous.socket() + "\n  log:      "
                        + rendezvous.log() + "\n"));
    }

    @Override
    public void close() {
        var up = context;
        if (up != null) {
            up.close();
        }
        clients.forEach(FrameChannel::close);
    }

    private static @Nullable FileLock lock(Rendezvous rendezvous) throws IOException {
        // Not closed here: the lock lives as long as its channel.
        @SuppressWarnings("MustBeClosed")
        var channel = FileChannel.open(rendezvous.lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        return channel.tryLock();
    }
}
