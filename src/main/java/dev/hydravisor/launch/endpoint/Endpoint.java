package dev.hydravisor.launch.endpoint;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.launch.LaunchProperties;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.request.Refusal;
import dev.hydravisor.request.RequestService;
import dev.hydravisor.token.Token;
import dev.hydravisor.token.TokenService;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.core.StandardHost;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.valves.ErrorReportValve;
import org.apache.coyote.http11.AbstractHttp11Protocol;
import org.apache.tomcat.util.modeler.Registry;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.apache.tomcat.websocket.server.WsContextListener;
import org.jspecify.annotations.Nullable;

/** The server: a Tomcat with one path and nothing else, and the connections it has. */
public final class Endpoint implements AutoCloseable {
    /** The path of the endpoint. */
    public static final String PATH = "/launch";

    /** The one protocol it speaks. */
    public static final String PROTOCOL = "hydra.launch.v1";

    private static final int MOST_THREADS = 16;
    private static final int HEADERS = 8192;
    private static final Duration HEADERS_LIMIT = Duration.ofSeconds(5);
    /** Those that are refused need a connection as well, to be told so. */
    private static final int SPARE_CONNECTIONS = 64;

    private final LaunchProperties settings;
    private final TokenService tokens;
    private final RequestService requests;
    private final Messages messages;
    private final Meter meter;
    private final Set<Peer> peers = ConcurrentHashMap.newKeySet();
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("launch clock").factory());
    private final Tomcat tomcat = new Tomcat();
    private final Connector connector = new Connector();
    private final @Nullable Certificate certificate;

    private Endpoint(HydraHome home, LaunchProperties settings, TokenService tokens, RequestService requests) {
        this.settings = settings;
        this.tokens = tokens;
        this.requests = requests;
        this.messages = new Messages(settings.limits());
        this.meter = new Meter(settings.limits());
        this.certificate = settings.tls().on() ? Certificate.of(home, settings) : null;
    }

    /**
     * Opens it.
     *
     * @throws HydraException one line that says why it cannot be, and what to do
     */
    public static Endpoint open(
            HydraHome home, LaunchProperties settings, TokenService tokens, RequestService requests) {
        var address = address(settings.address());
        if (!address.isLoopbackAddress() && !settings.tls().on()) {
            throw HydraException.usage(
                    "`launch.address` is `" + settings.address()
                            + "`, which others can reach: that needs TLS; set `launch.tls.certificate` and `launch.tls.key`, or `launch.tls.self-signed: true`");
        }
        requireFree(address, settings.port());
        var endpoint = new Endpoint(home, settings, tokens, requests);
        try {
            endpoint.start(home, address);
        } catch (LifecycleException | RuntimeException e) {
            endpoint.close();
            throw e instanceof HydraException h
                    ? h
                    : HydraException.failed("the launch endpoint cannot start: " + cause(e), e);
        }
        return endpoint;
    }

    private static InetAddress address(String text) {
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw HydraException.usage("`launch.address` is `" + text + "`, which is no address of this host");
        }
    }

    private static void requireFree(InetAddress address, int port) {
        try (var probe = new ServerSocket()) {
            probe.setReuseAddress(true);
            probe.bind(new InetSocketAddress(address, port));
        } catch (BindException e) {
            var taken = String.valueOf(e.getMessage()).contains("in use");
            throw HydraException.unavailable(
                    taken
                            ? "port " + port + " of " + address.getHostAddress()
                                    + " is in use; end what listens there, or set `launch.port` to another"
                            : "cannot listen on " + address.getHostAddress() + " port " + port + ": " + e.getMessage()
                                    + "; set `launch.address` and `launch.port`");
        } catch (IOException | IllegalArgumentException e) {
            throw HydraException.usage("cannot listen on `" + address.getHostAddress() + "` port " + port + ": "
                    + e.getMessage() + "; set `launch.address` and `launch.port`");
        }
    }

    private static String cause(Throwable e) {
        var at = e;
        while (at.getCause() != null) {
            at = at.getCause();
        }
        return String.valueOf(at.getMessage());
    }

    private void start(HydraHome home, InetAddress address) throws LifecycleException {
        Registry.disableRegistry();
        tomcat.setBaseDir(home.run().resolve("launch").toString());
        tomcat.setSilent(true);
        tomcat.setConnector(connector);
        connector.setPort(settings.port());
        connector.setXpoweredBy(false);
        connector.setThrowOnFailure(true);
        var protocol = (AbstractHttp11Protocol<?>) connector.getProtocolHandler();
        protocol.setAddress(address);
        protocol.setMinSpareThreads(1);
        protocol.setMaxThreads(MOST_THREADS);
        protocol.setMaxConnections(settings.limits().connections() + SPARE_CONNECTIONS);
        protocol.setConnectionTimeout((int) HEADERS_LIMIT.toMillis());
        protocol.setKeepAliveTimeout((int) HEADERS_LIMIT.toMillis());
        protocol.setMaxHttpHeaderSize(HEADERS);
        // A connection holds these as long as it lives.
        connector.setProperty("socket.appReadBufSize", "1024");
        connector.setProperty("socket.appWriteBufSize", "1024");
        connector.setProperty("socket.bufferPool", "0");
        // Nor may the kernel take much for one that does not read.
        connector.setProperty("socket.txBufSize", "65536");
        connector.setProperty("processorCache", "16");
        if (certificate != null) {
            secure(certificate);
        }

        var host = (StandardHost) tomcat.getHost();
        var errors = new ErrorReportValve();
        errors.setShowReport(false);
        errors.setShowServerInfo(false);
        host.getPipeline().addValve(errors);
        var context = tomcat.addContext("", null);
        context.addParameter("org.apache.tomcat.websocket.textBufferSize", "1024");
        context.addParameter("org.apache.tomcat.websocket.binaryBufferSize", "64");
        context.addApplicationListener(WsContextListener.class.getName());
        Tomcat.addServlet(context, "launch", new Handshake(this, settings, tokens, meter, address));
        context.addServletMappingDecoded("/*", "launch");
        tomcat.start();
        clock.scheduleWithFixedDelay(this::look, 1, 1, TimeUnit.SECONDS);
    }

    private void secure(Certificate shown) {
        connector.setSecure(true);
        connector.setScheme("https");
        connector.setProperty("SSLEnabled", "true");
        var tls = new SSLHostConfig();
        tls.setProtocols("TLSv1.2+TLSv1.3");
        var pair = new SSLHostConfigCertificate(tls, SSLHostConfigCertificate.Type.UNDEFINED);
        pair.setCertificateKeystoreFile(shown.store().toString());
        pair.setCertificateKeystoreType("PKCS12");
        pair.setCertificateKeystorePassword(shown.password());
        tls.addCertificate(pair);
        connector.addSslHostConfig(tls);
    }

    private void look() {
        var now = System.nanoTime();
        peers.forEach(p -> p.look(now));
    }

    /**
     * A connection of this token, if it may have one more.
     *
     * @throws Refusal 429, or 503 when there is no room for anybody
     */
    Peer admit(Token token) {
        var limits = settings.limits();
        synchronized (peers) {
            if (peers.size() >= limits.connections()) {
                meter.count("too_many_connections");
                throw Refusal.tooMany(
                        "too_many_connections", 1000, "there are " + limits.connections() + " connections already");
            }
            var own = peers.stream()
                    .filter(p -> p.token().id().equals(token.id()))
                    .count();
            if (own >= limits.connectionsPerToken()) {
                meter.count("too_many_connections");
                throw Refusal.tooMany(
                        "too_many_connections", 1000, "this token has " + own + " connections already; close one");
            }
            var peer = new Peer(token, requests, limits, messages, meter, peers::remove);
            peers.add(peer);
            meter.count("connections");
            return peer;
        }
    }

    String error(Refusal refusal) {
        return messages.error(null, refusal);
    }

    void forget(Peer peer) {
        peers.remove(peer);
    }

    /** Ends the connections of a token that is worth nothing any more. */
    public void revoked(String token) {
        peers.stream()
                .filter(p -> p.token().id().equals(token))
                .forEach(p -> p.end(
                        Peer.POLICY, new Refusal(401, "revoked", null, "this token was revoked"), "token revoked"));
    }

    /** Where it is reached, as clients of this host write it. */
    public String url() {
        var address = settings.address().contains(":") ? "[" + settings.address() + "]" : settings.address();
        return (certificate == null ? "ws" : "wss") + "://" + address + ":" + connector.getLocalPort() + PATH;
    }

    /** The SHA-256 fingerprint of its certificate; null without TLS. */
    public @Nullable String fingerprint() {
        return certificate == null ? null : certificate.fingerprint();
    }

    public int connections() {
        return peers.size();
    }

    public int tokens() {
        return (int) peers.stream().map(p -> p.token().id()).distinct().count();
    }

    public int subscribers() {
        return (int) peers.stream().filter(Peer::subscribed).count();
    }

    public int operations() {
        return meter.operations();
    }

    /** How often what happened since it was opened. */
    public Map<String, Long> counts() {
        return meter.counts();
    }

    @Override
    public void close() {
        peers.forEach(p -> p.end(Peer.GOING_AWAY, null, "the endpoint closes"));
        clock.shutdownNow();
        try {
            // What is on its way is let out, briefly.
            var deadline = System.nanoTime() + Duration.ofMillis(500).toNanos();
            while (!peers.isEmpty() && System.nanoTime() < deadline) {
                Thread.sleep(10);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            tomcat.stop();
            tomcat.destroy();
        } catch (LifecycleException e) {
            // It had not started.
        }
    }
}
