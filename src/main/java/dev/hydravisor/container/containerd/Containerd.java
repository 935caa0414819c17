package dev.hydravisor.container.containerd;

import dev.hydravisor.container.containerd.api.LeasesGrpc;
import dev.hydravisor.container.containerd.api.LeasesProto;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one connection to containerd: opened at the first call, opened anew by the first call after containerd came back. Every call
 * has a deadline, carries the namespace (and the lease, where there is one), and fails with a {@link HydraException}:
 * UNAVAILABLE when containerd does not answer, NOT_FOUND, CONFLICT for what exists already, INTERRUPTED, else FAILED in containerd's
 * own words.
 *
 * <pre>{@code
 * var version = containerd.call(VersionGrpc::newBlockingStub, s -> s.version(Empty.getDefaultInstance()));
 * try (var lease = containerd.lease()) {
 *     lease.call(SnapshotsGrpc::newBlockingStub, s -> s.prepare(request));
 * }
 * }</pre>
 */
public class Containerd {
    /** How long an ordinary call may take. */
    public static final Duration LIMIT = Duration.ofSeconds(10);

    /** Half the work of a call: what to ask of the service's stub. */
    @FunctionalInterface
    public interface Call<S, T extends @Nullable Object> {
        T on(S stub) throws Exception;
    }

    private static final Logger log = LoggerFactory.getLogger(Containerd.class);
    private static final Metadata.Key<String> NAMESPACE =
            Metadata.Key.of("containerd-namespace", Metadata.ASCII_STRING_MARSHALLER);
    private static final Metadata.Key<String> LEASE =
            Metadata.Key.of("containerd-lease", Metadata.ASCII_STRING_MARSHALLER);
    private static final Duration LEASE_LIFE = Duration.ofHours(24);
    private static final Duration COLLECT_LIMIT = Duration.ofMinutes(2);

    private final Connection connection;
    private final Metadata headers;

    /** For the containerd whose socket is at {@code address} (a path, possibly after {@code unix://}); connects to nothing yet. */
    public Containerd(String address, String namespace) {
        this(new Connection(address.startsWith("unix://") ? address.substring(7) : address), namespace, null);
    }

    private Containerd(Connection connection, String namespace, @Nullable String lease) {
        this.connection = connection;
        headers = new Metadata();
        headers.put(NAMESPACE, namespace);
        if (lease != null) {
            headers.put(LEASE, lease);
        }
    }

    /** The path of its socket. */
    public String address() {
        return connection.path;
    }

    /** The namespace all calls are about. */
    public String namespace() {
        return java.util.Objects.requireNonNull(headers.get(NAMESPACE));
    }

    /** Asks one service something, within {@link #LIMIT}. */
    public <S extends AbstractStub<S>, T extends @Nullable Object> T call(
            Function<Channel, S> service, Call<S, T> call) {
        return call(service, LIMIT, call);
    }

    /** As {@link #call(Function, Call)}, for what may take longer. */
    public <S extends AbstractStub<S>, T extends @Nullable Object> T call(
            Function<Channel, S> service, Duration limit, Call<S, T> call) {
        if (Thread.currentThread().isInterrupted()) {
            throw HydraException.interrupted();
        }
        try {
            var stub = service.apply(channel())
                    .withWaitForReady()
                    .withDeadlineAfter(limit.toMillis(), TimeUnit.MILLISECONDS);
            return call.on(stub);
        } catch (Exception e) {
            throw translate(e);
        }
    }

    /** As {@link #call(Function, Call)}, for what need not be there: null then. */
    public <S extends AbstractStub<S>, T> @Nullable T find(Function<Channel, S> service, Call<S, T> call) {
        return find(service, LIMIT, call);
    }

    /** As {@link #find(Function, Call)}, for what may take longer. */
    public <S extends AbstractStub<S>, T> @Nullable T find(
            Function<Channel, S> service, Duration limit, Call<S, T> call) {
        try {
            return call(service, limit, call);
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.NOT_FOUND) {
                return null;
            }
            throw e;
        }
    }

    /**
     * A channel with the namespace on every call, known to be answered at this moment; for streams that last. Their errors go
     * through {@link #translate}.
     *
     * @throws HydraException UNAVAILABLE
     */
    public Channel channel() {
        return ClientInterceptors.intercept(connection.open(), MetadataUtils.newAttachHeadersInterceptor(headers));
    }

    /** Keeps what is made through it from being collected until it is closed, or for a day should this process die. */
    public Lease lease() {
        var id = "hydra-" + UUID.randomUUID();
        var lease = new Lease(connection, namespace(), id);
        try {
            call(
                    LeasesGrpc::newBlockingStub,
                    s -> s.create(LeasesProto.CreateRequest.newBuilder()
                            .setId(id)
                            .putLabels(
                                    "containerd.io/gc.expire",
                                    Instant.now()
                                            .plus(LEASE_LIFE)
                                            .truncatedTo(ChronoUnit.SECONDS)
                                            .toString())
                            .build()));
        } catch (HydraException e) {
            // Cut off, it may have been made all the same.
            lease.close();
            throw e;
        }
        return lease;
    }

    /** Ends the connection. Only for tests and for the end of the process. */
    public void shutdown() {
        connection.shutdown();
    }

    /** containerd whose every call belongs to one lease. */
    public static final class Lease extends Containerd implements AutoCloseable {
        private final Containerd plain;
        private final String id;

        private Lease(Connection connection, String namespace, String id) {
            super(connection, namespace, id);
            this.plain = new Containerd(connection, namespace, null);
            this.id = id;
        }

        /** Lets go of what nothing else holds. Works on an interrupted thread too; a containerd that is gone lets go by itself. */
        @Override
        public void close() {
            release(false, LIMIT);
        }

        /** As {@link #close}, and returns only when what nothing else holds has been collected. */
        public void discard() {
            release(true, COLLECT_LIMIT);
        }

        private void release(boolean collect, Duration limit) {
            var interrupted = Thread.interrupted();
            try {
                delete(collect, limit);
            } catch (HydraException e) {
                if (e.exitCode() == ExitCode.INTERRUPTED) {
                    // It came just now, and the lease goes all the same.
                    interrupted |= Thread.interrupted();
                    deleteOrTell(collect, limit);
                } else {
                    tell(e);
                }
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private void deleteOrTell(boolean collect, Duration limit) {
            try {
                delete(collect, limit);
            } catch (HydraException e) {
                tell(e);
            }
        }

        private void delete(boolean collect, Duration limit) {
            plain.call(
                    LeasesGrpc::newBlockingStub,
                    limit,
                    s -> s.delete(LeasesProto.DeleteRequest.newBuilder()
                            .setId(id)
                            .setSync(collect)
                            .build()));
        }

        private void tell(HydraException e) {
            if (e.exitCode() != ExitCode.NOT_FOUND) {
                log.warn("lease {} stays until it expires: {}", id, e.text());
            }
        }
    }

    /** What a failed call or stream means to the user. */
    public HydraException translate(Throwable failure) {
        var status =
                switch (failure) {
                    case HydraException h -> {
                        throw h;
                    }
                    case StatusRuntimeException e -> e.getStatus();
                    case StatusException e -> e.getStatus();
                    case InterruptedException _ -> {
                        Thread.currentThread().interrupt();
                        yield Status.CANCELLED;
                    }
                    default -> null;
                };
        if (status == null) {
            return failure instanceof Exception e
                    ? HydraException.failed(e.getMessage() == null ? e.toString() : e.getMessage(), e)
                    : HydraException.failed(failure.toString());
        }
        if (Thread.currentThread().isInterrupted()) {
            return HydraException.interrupted();
        }
        var text = status.getDescription() == null ? status.getCode().toString() : status.getDescription();
        // A deadline reaches containerd too, which may be first to say that it has passed, in words of its own.
        if (text.contains("context deadline exceeded")) {
            return unavailable("it hangs", failure);
        }
        // A call on a channel that closes under it ends as unknown, with a cause, which no answer of containerd's has.
        if (status.getCause() instanceof IOException) {
            return unavailable("it went away", failure);
        }
        return switch (status.getCode()) {
            case UNAVAILABLE -> unavailable("it went away", failure);
            case DEADLINE_EXCEEDED -> unavailable("it hangs", failure);
            case NOT_FOUND -> new HydraException(ExitCode.NOT_FOUND, "containerd: " + text, failure);
            case ALREADY_EXISTS -> new HydraException(ExitCode.CONFLICT, "containerd: " + text, failure);
            default -> HydraException.failed("containerd: " + text, failure);
        };
    }

    private HydraException unavailable(String reason, @Nullable Throwable cause) {
        return connection.unavailable(reason, cause);
    }

    /** The channel, without a native library: netty's NIO on the JDK's own unix sockets. */
    private static final class Connection {
        private final String path;
        private @Nullable ManagedChannel channel;
        private @Nullable MultiThreadIoEventLoopGroup events;
        private boolean isShutDown;

        Connection(String path) {
            this.path = path;
        }

        ManagedChannel open() {
            var known = made();
            if (known.getState(false) != ConnectivityState.READY) {
                probe();
                // It may be counting seconds since the last failure.
                known.resetConnectBackoff();
            }
            return known;
        }

        private synchronized ManagedChannel made() {
            if (isShutDown) {
                throw unavailable("hydra is ending", null);
            }
            if (channel == null) {
                events = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
                channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(path))
                        .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
                        .eventLoopGroup(events)
                        .usePlaintext()
                        .overrideAuthority("localhost")
                        .maxInboundMessageSize(16 << 20)
                        .build();
            }
            return channel;
        }

        /** A call waits for a connection: whether one can be had is asked of the socket itself, which answers at once. */
        private void probe() {
            try (var _ = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
                return;
            } catch (java.nio.channels.ClosedByInterruptException e) {
                throw HydraException.interrupted();
            } catch (IOException | IllegalArgumentException e) {
                throw unavailable(
                        java.nio.file.Files.exists(java.nio.file.Path.of(path)) ? "" + e.getMessage() : "no socket", e);
            }
        }

        HydraException unavailable(String reason, @Nullable Throwable cause) {
            return new HydraException(
                    ExitCode.UNAVAILABLE,
                    "containerd does not answer at `" + path + "` (" + reason
                            + "); start it, set container.address, or see `hydra doctor`",
                    cause);
        }

        synchronized void shutdown() {
            isShutDown = true;
            if (channel != null && events != null) {
                channel.shutdownNow();
                events.shutdownGracefully(0, 1, TimeUnit.SECONDS);
                channel = null;
                events = null;
            }
        }
    }
}
