package dev.hydravisor.launch.endpoint;

import dev.hydravisor.launch.LaunchProperties;
import dev.hydravisor.request.Refusal;
import dev.hydravisor.request.RequestService;
import dev.hydravisor.token.TokenService;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.server.ServletServerHttpRequest;
import org.springframework.http.server.ServletServerHttpResponse;
import org.springframework.web.socket.server.standard.StandardWebSocketUpgradeStrategy;
import org.springframework.web.socket.server.support.DefaultHandshakeHandler;

/**
 * Lets in who may come in: 101, or 429 for too many, 403 for a page of the web and for a name that is not this host's, 401 for no valid
 * token, 426 for what does not speak this protocol; 404 for another path, 400 for parameters in the URL.
 */
final class Handshake extends HttpServlet {
    private static final String BEARER = "Bearer ";

    private final transient Endpoint endpoint;
    private final transient TokenService tokens;
    private final transient Meter meter;
    private final transient Set<String> hosts;
    private final transient Set<String> origins;
    private final transient Upgrade upgrade = new Upgrade();

    Handshake(Endpoint endpoint, LaunchProperties settings, TokenService tokens, Meter meter, InetAddress address) {
        this.endpoint = endpoint;
        this.tokens = tokens;
        this.meter = meter;
        this.origins = Set.copyOf(settings.origins());
        this.hosts = new HashSet<>(List.of("localhost", "127.0.0.1", "[::1]"));
        hosts.add(address.getHostAddress());
        hosts.add("[" + address.getHostAddress() + "]");
        hosts.add(settings.address().toLowerCase(Locale.ROOT));
        settings.hosts().forEach(h -> hosts.add(h.toLowerCase(Locale.ROOT)));
    }

    private static final class Upgrade extends DefaultHandshakeHandler {
        Upgrade() {
            super(new StandardWebSocketUpgradeStrategy());
            setSupportedProtocols(Endpoint.PROTOCOL);
        }
    }

    /** A request that asks for no extensions: a compressed message may be far larger than it seems. Tomcat would grant them unasked. */
    private static final class Plain extends HttpServletRequestWrapper {
        private static final String EXTENSIONS = "Sec-WebSocket-Extensions";

        Plain(HttpServletRequest request) {
            super(request);
        }

        @Override
        public @Nullable String getHeader(String name) {
            return name.equalsIgnoreCase(EXTENSIONS) ? null : super.getHeader(name);
        }

        @Override
        public Enumeration<String> getHeaders(String name) {
            return name.equalsIgnoreCase(EXTENSIONS) ? Collections.emptyEnumeration() : super.getHeaders(name);
        }
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Peer peer = null;
        try {
            meter.handshake(InetAddress.getByName(request.getRemoteAddr()));
            requireHost(request);
            if (!request.getRequestURI().equals(Endpoint.PATH)) {
                throw new Refusal(404, "not_found", null, "there is only " + Endpoint.PATH);
            }
            if (request.getQueryString() != null) {
                // A URL is written to logs, here and on the way.
                throw new Refusal(
                        400,
                        "query",
                        null,
                        "nothing is taken from the URL; the token goes into `Authorization: Bearer`");
            }
            var token = tokens.authenticate(bearer(request))
                    .orElseThrow(() -> new Refusal(401, "unauthorized", null, "no valid token"));
            requireUpgrade(request);
            peer = endpoint.admit(token);
            upgrade.doHandshake(
                    new ServletServerHttpRequest(new Plain(request)),
                    new ServletServerHttpResponse(response),
                    peer,
                    Map.of());
            if (response.getStatus() != HttpServletResponse.SC_SWITCHING_PROTOCOLS) {
                endpoint.forget(peer);
            }
        } catch (Refusal e) {
            refuse(response, e);
        } catch (RuntimeException e) {
            if (peer != null) {
                endpoint.forget(peer);
            }
            refuse(response, RequestService.defect(e));
        }
    }

    /** A page of the web has an origin; a name of another host's means that a page had its own name point here. */
    private void requireHost(HttpServletRequest request) {
        var origin = request.getHeader("Origin");
        if (origin != null && !origins.contains(origin)) {
            throw new Refusal(403, "origin", null, "pages of this origin may not connect");
        }
        var host = request.getHeader("Host");
        if (host == null
                || !hosts.contains(host.replaceFirst(":[0-9]{1,5}$", "").toLowerCase(Locale.ROOT))) {
            throw new Refusal(403, "host", null, "this host does not go by that name");
        }
    }

    private static @Nullable String bearer(HttpServletRequest request) {
        var header = request.getHeader("Authorization");
        return header != null && header.regionMatches(true, 0, BEARER, 0, BEARER.length())
                ? header.substring(BEARER.length()).strip()
                : null;
    }

    private static void requireUpgrade(HttpServletRequest request) {
        var protocols = request.getHeader("Sec-WebSocket-Protocol");
        var offered = protocols == null
                ? List.<String>of()
                : Arrays.stream(protocols.split(",", -1)).map(String::strip).toList();
        if (!request.getMethod().equals("GET")
                || !"websocket".equalsIgnoreCase(request.getHeader("Upgrade"))
                || request.getHeader("Sec-WebSocket-Key") == null
                || !"13".equals(request.getHeader("Sec-WebSocket-Version"))
                || !offered.contains(Endpoint.PROTOCOL)) {
            throw new Refusal(
                    426, "upgrade", null, "this is a WebSocket, version 13, of the protocol " + Endpoint.PROTOCOL);
        }
    }

    private void refuse(HttpServletResponse response, Refusal refusal) throws IOException {
        meter.count("handshake_" + refusal.code());
        response.setStatus(refusal.code());
        response.setHeader("Connection", "close");
        switch (refusal.code()) {
            case 401 -> response.setHeader("WWW-Authenticate", "Bearer");
            case 426 -> {
                response.setHeader("Upgrade", "websocket");
                response.setHeader("Sec-WebSocket-Version", "13");
                response.setHeader("Sec-WebSocket-Protocol", Endpoint.PROTOCOL);
            }
            case 429 -> response.setHeader("Retry-After", Long.toString((refusal.retryAfterMillis() + 999) / 1000));
            default -> {}
        }
        response.setContentType("application/json");
        response.getOutputStream()
                .write((endpoint.error(refusal) + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
}
