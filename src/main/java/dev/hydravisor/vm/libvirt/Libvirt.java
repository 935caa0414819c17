package dev.hydravisor.vm.libvirt;

import dev.hydravisor.operation.HydraException;
import java.net.URI;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.libvirt.Connect;
import org.libvirt.Domain;
import org.libvirt.Error.ErrorNumber;
import org.libvirt.Library;
import org.libvirt.LibvirtException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection to libvirt: made when first needed, watched, and made again when it breaks.
 *
 * <p>Calls run on platform threads of its own, for three reasons: a call in C pins a virtual thread's carrier, of which there are
 * only as many as cores; the caller stays interruptible; and a connect to a hung libvirt, which nothing can end, costs one
 * thread and not the caller. A call already under way is freed by libvirt's keepalive about five seconds after libvirt hangs.
 */
public final class Libvirt {
    /** Asks something with a connection; null for what is not there. */
    @FunctionalInterface
    public interface Call<T> {
        @Nullable
        T run(Connection connection) throws LibvirtException;
    }

    /** Does something with a connection. */
    @FunctionalInterface
    public interface Work {
        void run(Connection connection) throws LibvirtException;
    }

    /** A connection whose pointer the functions that the binding lacks can use. */
    public static final class Connection extends Connect {
        Connection(String uri) throws LibvirtException {
            super(uri);
        }

        org.libvirt.jna.ConnectionPointer pointer() {
            return vcp;
        }
    }

    private static final Logger log = LoggerFactory.getLogger(Libvirt.class);
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    // For one more caller while an attempt hangs beyond its limit: libvirt may just have woken up.
    private static final Duration RECONNECT_GRACE = Duration.ofMillis(500);
    private static final int KEEPALIVE_SECONDS = 2;
    private static final int KEEPALIVE_COUNT = 2;

    // libvirt's event thread may call back on a connection for as long as the process lives, also after it was lost,
    // and another
    // thread may still be inside a call of it. A callback that was collected meanwhile would end the process; so none
    // is ever
    // closed or collected. It costs a few KB each time libvirt is restarted.
    private static final Collection<Connection> KEPT = new ConcurrentLinkedQueue<>();

    private final ExecutorService workers = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("libvirt-", 0).factory());
    private final List<String> candidates;
    private final Object lock = new Object();
    private volatile @Nullable Connection current;
    private volatile @Nullable String uri;
    private @Nullable CompletableFuture<Connection> attempt;
    private long attemptStart;
    private boolean returning;
    private volatile Consumer<UUID> onDomain = _ -> {};
    private volatile Runnable onConnected = () -> {};
    private volatile Runnable onLost = () -> {};

    /** Connects to the first of the URIs that answers, and stays with that one. */
    public Libvirt(List<String> candidates) {
        this.candidates = List.copyOf(candidates);
    }

    /** Hears, on a thread of this class, of each domain that changed, and of each connection that came or was lost. */
    public void listen(Consumer<UUID> domainChanged, Runnable connected, Runnable lost) {
        onDomain = domainChanged;
        onConnected = connected;
        onLost = lost;
    }

    /** The URI it is or would first be connected to. */
    public String uri() {
        var known = uri;
        return known == null ? candidates.getFirst() : known;
    }

    /** True when the daemon is the user's own, whose guests can have no bridge. */
    public boolean isSession() {
        connected();
        return uri().split("\\?", 2)[0].endsWith("/session");
    }

    /** True when libvirt runs on this machine, not behind a host name. */
    public boolean isLocal() {
        return URI.create(uri()).getHost() == null;
    }

    /**
     * Asks something with a connection, on another thread, and waits for the answer.
     *
     * @return null for what is not there
     * @throws HydraException UNAVAILABLE when libvirt does not answer, within about five seconds; FAILED with libvirt's own
     *     words for every other error of libvirt
     */
    public <T> @Nullable T ask(Call<T> call) {
        var future = submit(call);
        try {
            return future.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (ExecutionException e) {
            throw unwrap(e);
        }
    }

    /** As {@link #ask}, for what is always there. */
    public <T> T call(Call<T> call) {
        return Objects.requireNonNull(ask(call));
    }

    /** As {@link #ask}, for what gives no answer. */
    public void run(Work work) {
        this.<Void>ask(c -> {
            work.run(c);
            return null;
        });
    }

    /** As {@link #ask}, not waited for. */
    <T> CompletableFuture<@Nullable T> submit(Call<T> call) {
        var connection = connected();
        var future = new CompletableFuture<@Nullable T>();
        workers.execute(() -> {
            try {
                future.complete(call.run(connection));
            } catch (LibvirtException e) {
                future.completeExceptionally(translate(connection, e));
            } catch (Throwable e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    static RuntimeException unwrap(ExecutionException e) {
        if (e.getCause() instanceof HydraException h) {
            return h;
        }
        if (e.getCause() instanceof RuntimeException r) {
            return r;
        }
        return new IllegalStateException(e.getCause());
    }

    /** What a lookup finds; null when there is no such thing. */
    public static <T> @Nullable T find(Lookup<T> lookup) throws LibvirtException {
        try {
            return lookup.run();
        } catch (LibvirtException e) {
            if (isMissing(e)) {
                return null;
            }
            throw e;
        }
    }

    /** A lookup by name, UUID or path. */
    @FunctionalInterface
    public interface Lookup<T> {
        @Nullable
        T run() throws LibvirtException;
    }

    private static boolean isMissing(LibvirtException e) {
        return switch (code(e)) {
            case VIR_ERR_NO_DOMAIN, VIR_ERR_NO_STORAGE_POOL, VIR_ERR_NO_STORAGE_VOL, VIR_ERR_NO_NETWORK -> true;
            default -> false;
        };
    }

    /** The number of libvirt's error. */
    public static ErrorNumber code(LibvirtException e) {
        var error = e.getError();
        return error == null || error.getCode() == null ? ErrorNumber.VIR_ERR_INTERNAL_ERROR : error.getCode();
    }

    /** libvirt's words, on one line. */
    public static String message(LibvirtException e) {
        var message = e.getMessage();
        return message == null ? code(e).toString() : message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    private Connection connected() {
        var known = current;
        if (known != null) {
            return known;
        }
        CompletableFuture<Connection> pending;
        long waited;
        synchronized (lock) {
            known = current;
            if (known != null) {
                return known;
            }
            if (attempt == null || attempt.isDone()) {
                attempt = CompletableFuture.supplyAsync(this::open, workers);
                attemptStart = System.nanoTime();
            }
            pending = attempt;
            waited = System.nanoTime() - attemptStart;
        }
        try {
            return pending.get(
                    Math.max(RECONNECT_GRACE.toNanos(), CONNECT_LIMIT.toNanos() - waited), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (TimeoutException e) {
            throw unavailable("it hangs", e);
        } catch (ExecutionException e) {
            throw unwrap(e);
        }
    }

    private Connection open() {
        try {
            EventLoop.start();
        } catch (LinkageError | LibvirtException e) {
            throw HydraException.unavailable("libvirt's library cannot be loaded; install libvirt with bin/setup", e);
        }
        var known = uri;
        LibvirtException last = null;
        for (var candidate : known == null ? candidates : List.of(known)) {
            try {
                var connection = new Connection(candidate);
                KEPT.add(connection);
                connection.registerCloseListener((_, reason) -> {
                    log.info("libvirt at {} closed the connection: {}", candidate, reason);
                    workers.execute(() -> lost(connection));
                });
                watch(connection);
                uri = candidate;
                synchronized (lock) {
                    current = connection;
                }
                workers.execute(onConnected);
                return connection;
            } catch (LibvirtException e) {
                log.debug("no libvirt at {}: {}", candidate, message(e));
                last = e;
            }
        }
        throw unavailable(last == null ? "no URI" : message(last), last);
    }

    private void watch(Connection connection) throws LibvirtException {
        try {
            connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
        } catch (LibvirtException e) {
            // A driver inside this process, such as test:///default, has nothing to keep alive.
            log.debug("no keepalive: {}", message(e));
        }
        connection.addLifecycleListener((domain, _) -> {
            changed(domain);
            return 0;
        });
    }

    private void changed(Domain domain) {
        try {
            var id = UUID.fromString(domain.getUUIDString());
            // The event thread must not call libvirt, and who listens will.
            workers.execute(() -> onDomain.accept(id));
        } catch (LibvirtException e) {
            log.warn("an event of an unknown domain", e);
        }
    }

    // A connection that was lost is never closed here: another thread may still be inside a call. Its finalizer does
    // that.
    private void lost(Connection connection) {
        synchronized (lock) {
            if (current != connection) {
                return;
            }
            current = null;
            workers.execute(onLost);
            if (returning) {
                return;
            }
            returning = true;
        }
        workers.execute(this::comeBack);
    }

    private void comeBack() {
        long pause = 500;
        try {
            while (current == null) {
                Thread.sleep(pause);
                pause = Math.min(pause * 2, 10_000);
                try {
                    connected();
                } catch (HydraException e) {
                    log.debug("not yet: {}", e.text());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            synchronized (lock) {
                returning = false;
            }
        }
    }

    private HydraException translate(Connection connection, LibvirtException e) {
        boolean alive;
        try {
            alive = connection.isAlive();
        } catch (LibvirtException dead) {
            alive = false;
        }
        if (alive) {
            return HydraException.failed("libvirt: " + message(e), e);
        }
        lost(connection);
        return unavailable(message(e), e);
    }

    private HydraException unavailable(String reason, @Nullable Throwable cause) {
        var text = "libvirt does not answer at `" + uri() + "` (" + reason + "); start it"
                + (uri().contains("/system") ? " (`systemctl start libvirtd`)" : "")
                + " or see `hydra doctor`";
        return cause == null ? HydraException.unavailable(text) : HydraException.unavailable(text, cause);
    }

    /** The one thread that pumps libvirt's events. */
    private static final class EventLoop {
        private static boolean started;
        private static final LibvirtFunctions.ErrorFunction QUIET = (_, _) -> {};

        static synchronized void start() throws LibvirtException {
            if (started) {
                return;
            }
            // libvirt prints every error to stderr otherwise.
            LibvirtFunctions.virSetErrorFunc(null, QUIET);
            Library.initEventLoop();
            Thread.ofPlatform().daemon().name("libvirt-events").start(EventLoop::pump);
            started = true;
        }

        private static void pump() {
            while (true) {
                try {
                    Library.processEvent();
                } catch (LibvirtException e) {
                    log.warn("libvirt's event loop: {}", message(e));
                    java.util.concurrent.locks.LockSupport.parkNanos(100_000_000);
                }
            }
        }
    }
}
