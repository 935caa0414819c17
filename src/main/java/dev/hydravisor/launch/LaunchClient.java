package dev.hydravisor.launch;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.launch.endpoint.Endpoint;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Sends one message to another host's launch endpoint and listens until all that it brings about is told. A connection that is cut is
 * opened again and goes on where it was: a launch by its key and the number of the last event.
 */
public final class LaunchClient implements AutoCloseable {
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);
    private static final Duration QUIET = Duration.ofSeconds(3);

    /** What a ping is answered with. */
    private static final Object ALIVE = new Object();

    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);
    /** What may be sent again when the connection was cut before its answer came. */
    private static final Set<String> REPEATABLE = Set.of("launch", "list", "show", "subscribe", "ping");

    private final URI url;
    private final String token;
    private final Duration patience;
    private final HttpClient http;

    /**
     * @param fingerprint SHA-256 of the server's certificate, in hexadecimal; null to trust whom this host trusts
     * @param patience how long a connection that is cut is tried again
     * @throws HydraException USAGE for what is no URL of an endpoint, and for one that would carry the token in clear text to another host
     */
    public LaunchClient(String url, String token, @Nullable String fingerprint, Duration patience) {
        this.url = endpoint(url);
        this.token = token;
        this.patience = patience;
        var builder = HttpClient.newBuilder().connectTimeout(CONNECT_LIMIT);
        if (fingerprint != null) {
            builder.sslContext(trusting(fingerprint));
        }
        this.http = builder.build();
    }

    private static URI endpoint(String text) {
        URI url;
        try {
            url = URI.create(text);
        } catch (IllegalArgumentException e) {
            throw noUrl(text);
        }
        if (url.getHost() == null || !(text.startsWith("ws://") || text.startsWith("wss://"))) {
            throw noUrl(text);
        }
        try {
            if (url.getScheme().equals("ws")
                    && !InetAddress.getByName(url.getHost()).isLoopbackAddress()) {
                throw HydraException.usage("`" + PlainText.shorten(text)
                        + "` would carry the token over the network in clear text; use wss://");
            }
        } catch (UnknownHostException e) {
            throw HydraException.unavailable("there is no host `" + PlainText.shorten(url.getHost()) + "`");
        }
        return url.getPath().isEmpty() || url.getPath().equals("/") ? url.resolve(Endpoint.PATH) : url;
    }

    @Override
    public void close() {
        http.shutdownNow();
    }

    private static HydraException noUrl(String text) {
        return HydraException.usage(
                "`" + PlainText.shorten(text) + "` is no endpoint; write it as wss://HOST:7620" + Endpoint.PATH);
    }

    /**
     * Sends a message and hears all that belongs to it, to its end: {@code ready} or {@code failed} for a launch, its answer for others,
     * none for a subscription.
     *
     * @param message with its {@code id} and {@code type}
     * @param heard is given each message that is heard, as it came: whoever shows it makes it safe
     * @return the last message
     * @throws HydraException DENIED, UNAVAILABLE, … when it could not be asked; INTERRUPTED when this thread was interrupted
     */
    public JsonNode send(ObjectNode message, Consumer<JsonNode> heard) {
        var type = message.get("type").asString();
        @Nullable Long deadline = null;
        var pause = Duration.ofMillis(200);
        try {
            while (true) {
                var sent = false;
                try (var connection = connect()) {
                    connection
                            .socket
                            .sendText(message.toString(), true)
                            .get(CONNECT_LIMIT.toSeconds(), TimeUnit.SECONDS);
                    sent = true;
                    while (true) {
                        var next = connection.next();
                        remember(message, type, next);
                        deadline = null;
                        heard.accept(next);
                        if (isLast(type, message.get("id").asString(), next)) {
                            return next;
                        }
                    }
                } catch (Cut cut) {
                    deadline = deadline == null ? System.nanoTime() + patience.toNanos() : deadline;
                    if (System.nanoTime() >= deadline || (sent && !REPEATABLE.contains(type))) {
                        throw HydraException.unavailable(
                                "the connection to " + url.getHost() + " was cut (" + cut.getMessage() + ")"
                                        + (sent && !REPEATABLE.contains(type)
                                                ? "; whether it was done is not known"
                                                : "; try again later"));
                    }
                    Thread.sleep(pause);
                    pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
                } catch (ExecutionException | TimeoutException e) {
                    throw HydraException.unavailable("`" + url.getHost() + "` takes nothing; try again later", e);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    /** Where to go on, should the connection be cut. The answer's own number only counts what was there before. */
    private static void remember(ObjectNode message, String asked, JsonNode next) {
        var event = next.path("event").asLong(0);
        var answer = Set.of("accepted", "subscribed").contains(next.path("type").asString(""));
        if (asked.equals("subscribe") ? event > 0 : asked.equals("launch") && event > 0 && !answer) {
            message.put("after", event);
        }
    }

    private static boolean isLast(String asked, String id, JsonNode heard) {
        var type = heard.path("type").asString("");
        return switch (asked) {
            case "launch" -> Set.of("ready", "failed", "error").contains(type);
            case "subscribe" -> type.equals("error");
            default -> heard.path("re").asString("").equals(id) || type.equals("error");
        };
    }

    /** How a message ends this program: its exit code by the meaning of the error's code. */
    public static ExitCode exitCode(JsonNode last) {
        var error = last.has("error") ? last.get("error") : last;
        return switch (error.path("code").asInt(0)) {
            case 0 -> ExitCode.DONE;
            case 400, 413, 422 -> ExitCode.USAGE;
            case 401, 403 -> ExitCode.DENIED;
            case 404 -> ExitCode.NOT_FOUND;
            case 409 -> ExitCode.CONFLICT;
            case 429, 503 -> ExitCode.UNAVAILABLE;
            default -> ExitCode.FAILED;
        };
    }

    private static final class Cut extends Exception {
        Cut(String message) {
            super(message);
        }
    }

    private Connection connect() throws Cut, InterruptedException {
        var heard = new LinkedBlockingQueue<Object>();
        try {
            return new Connection(
                    http.newWebSocketBuilder()
                            .header("Authorization", "Bearer " + token)
                            .subprotocols(Endpoint.PROTOCOL)
                            .connectTimeout(CONNECT_LIMIT)
                            .buildAsync(url, new Ear(heard))
                            .get(2 * CONNECT_LIMIT.toSeconds(), TimeUnit.SECONDS),
                    heard);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof WebSocketHandshakeException handshake) {
                var status = handshake.getResponse().statusCode();
                switch (status) {
                    case 401 ->
                        throw new HydraException(
                                ExitCode.DENIED,
                                "`" + url.getHost()
                                        + "` does not take this token; a new one is made there by `hydra token create`");
                    case 403 ->
                        throw new HydraException(
                                ExitCode.DENIED,
                                "`" + url.getHost() + "` does not go by that name; set `launch.hosts` there");
                    case 429, 503 -> throw new Cut("too many connections, status " + status);
                    default ->
                        throw HydraException.unavailable("`" + url + "` is no launch endpoint: it answered " + status
                                + "; see `hydra launch status` there");
                }
            }
            var certificate = cause(e, CertificateException.class);
            if (certificate != null) {
                throw new HydraException(
                        ExitCode.DENIED,
                        "the certificate of `" + url.getHost() + "` is not to be trusted: "
                                + PlainText.safe(String.valueOf(certificate.getMessage()))
                                + "; `hydra launch status` there shows its fingerprint, for `--fingerprint`");
            }
            throw new Cut(
                    cause(e, ConnectException.class) != null
                            ? "nothing answers at " + url.getHost() + ":" + url.getPort()
                            : PlainText.safe(String.valueOf(e.getCause())));
        } catch (TimeoutException e) {
            throw new Cut("no answer");
        }
    }

    private static <T extends Throwable> @Nullable T cause(Throwable e, Class<T> wanted) {
        for (@Nullable Throwable at = e; at != null; at = at.getCause()) {
            if (wanted.isInstance(at)) {
                return wanted.cast(at);
            }
        }
        return null;
    }

    /** An open connection, and what it heard: messages, and the reason of its end. */
    private record Connection(WebSocket socket, BlockingQueue<Object> heard) implements AutoCloseable {
        JsonNode next() throws InterruptedException, Cut {
            var next = heard.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS);
            for (var asked = false; next == null || next == ALIVE; ) {
                // Not every end of a connection is told: one that is quiet is asked whether it lives.
                if (next == null) {
                    if (asked) {
                        throw new Cut("it no longer answers");
                    }
                    socket.sendPing(ByteBuffer.allocate(0));
                }
                asked = next == null;
                next = heard.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS);
            }
            if (next instanceof Cut cut) {
                throw cut;
            }
            try {
                return JsonMapper.shared().readTree((String) next);
            } catch (JacksonException e) {
                throw HydraException.unavailable("the other end does not speak " + Endpoint.PROTOCOL, e);
            }
        }

        @Override
        public void close() {
            socket.sendClose(WebSocket.NORMAL_CLOSURE, "");
            socket.abort();
        }
    }

    private static final class Ear implements WebSocket.Listener {
        private final BlockingQueue<Object> heard;
        private final StringBuilder text = new StringBuilder();

        Ear(BlockingQueue<Object> heard) {
            this.heard = heard;
        }

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                heard.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onPong(WebSocket socket, ByteBuffer message) {
            heard.add(ALIVE);
            socket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            heard.add(new Cut(PlainText.safe(reason.isEmpty() ? "code " + code : reason)));
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            heard.add(new Cut(PlainText.safe(String.valueOf(error.getMessage()))));
        }
    }

    /** Trusts the one certificate of this fingerprint, whatever name it bears. */
    private static SSLContext trusting(String fingerprint) {
        byte[] wanted;
        try {
            wanted = HexFormat.of()
                    .parseHex(fingerprint
                            .replace(":", "")
                            .replaceFirst("(?i)^sha-?256", "")
                            .strip()
                            .toLowerCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw HydraException.usage("`" + PlainText.shorten(fingerprint)
                    + "` is no fingerprint; `hydra launch status` on the other host shows it");
        }
        try {
            var context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {new Pinned(wanted)}, new SecureRandom());
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Extended, so that nobody checks the name besides: the fingerprint says whom it is of. */
    private static final class Pinned extends X509ExtendedTrustManager {
        private final byte[] wanted;

        Pinned(byte[] wanted) {
            this.wanted = wanted;
        }

        private void check(X509Certificate[] chain) throws CertificateException {
            try {
                var is = MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded());
                if (!MessageDigest.isEqual(is, wanted)) {
                    throw new CertificateException("its fingerprint is "
                            + HexFormat.ofDelimiter(":").withUpperCase().formatHex(is));
                }
            } catch (GeneralSecurityException e) {
                throw e instanceof CertificateException c ? c : new CertificateException(e);
            }
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            check(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            check(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            check(chain);
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            throw new CertificateException("this is a client");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            throw new CertificateException("this is a client");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
            throw new CertificateException("this is a client");
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
