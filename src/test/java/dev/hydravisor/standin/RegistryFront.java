package dev.hydravisor.standin;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What stands before a registry: a server that gives out the tokens a real one demands ({@code /token}), and a proxy that misbehaves as
 * the first words of a repository's name say. {@code front:1234/broken/busy/busybox} is {@code busybox} of the registry behind it, over a
 * bad line.
 *
 * <pre>
 * broken   the first two answers with a blob end in the middle
 * norange  Range is not understood
 * stalled  the first answer with a blob stops in the middle and says nothing more
 * wrong    one byte of each blob is another
 * busy     the first request for a thing is to be asked again a second later (429)
 * moved    blobs lie on another port, which takes no Authorization
 * slow     a blob comes at 256 KiB a second
 * closed   nobody gets in without a token
 * </pre>
 */
public final class RegistryFront {
    private static final List<String> WAYS =
            List.of("broken", "norange", "stalled", "wrong", "busy", "moved", "slow", "closed");

    private final Map<String, String> options;
    private final Map<String, AtomicInteger> seen = new ConcurrentHashMap<>();
    private final HttpClient upstream = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .build();
    private final HttpServer server;
    private final HttpServer blobs;

    private RegistryFront(Map<String, String> options) throws IOException {
        this.options = options;
        server = serve(this::answer);
        blobs = serve(this::moved);
    }

    /**
     * Runs until it is killed, or its parent ends.
     *
     * @param arguments {@code --port-file FILE} to say the port in, {@code --upstream HOST:PORT}, {@code --user}, {@code --password},
     *     {@code --token-key PEM}, {@code --token-certificate PEM}, {@code --parent-pid PID}
     */
    public static void main(String... arguments) throws IOException {
        var options = new HashMap<String, String>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        var front = new RegistryFront(options);
        var file = Path.of(options.getOrDefault("--port-file", "/dev/stdout"));
        var written = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(written, front.server.getAddress().getPort() + "\n");
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        var parent = options.get("--parent-pid");
        if (parent != null) {
            ProcessHandle.of(Long.parseLong(parent))
                    .ifPresent(
                            p -> p.onExit().thenRun(() -> Runtime.getRuntime().halt(0)));
        }
    }

    private interface Answer {
        void to(HttpExchange exchange) throws IOException, InterruptedException, GeneralSecurityException;
    }

    private static HttpServer serve(Answer answer) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 64);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            // An exchange closed before its announced end takes its connection along.
            try (exchange) {
                answer.to(exchange);
            } catch (InterruptedException | GeneralSecurityException e) {
                throw new IOException(e);
            }
        });
        server.start();
        return server;
    }

    private void answer(HttpExchange exchange) throws IOException, InterruptedException, GeneralSecurityException {
        var path = exchange.getRequestURI().getPath();
        if (path.equals("/token")) {
            token(exchange);
            return;
        }
        if (path.startsWith("/v2/")) {
            var ways = new ArrayList<String>();
            var words = new ArrayList<>(List.of(path.substring("/v2/".length()).split("/")));
            while (WAYS.contains(words.getFirst())) {
                ways.add(words.removeFirst());
            }
            proxy(exchange, ways, "/v2/" + String.join("/", words));
            return;
        }
        text(exchange, 404, "{}");
    }

    private void proxy(HttpExchange exchange, List<String> ways, String path) throws IOException, InterruptedException {
        var isBlob = path.contains("/blobs/");
        var key = exchange.getRequestURI().getPath();
        if (ways.contains("closed")
                && !"Bearer open".equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            exchange.getResponseHeaders()
                    .set(
                            "WWW-Authenticate",
                            "Bearer realm=\"http://127.0.0.1:"
                                    + server.getAddress().getPort()
                                    + "/token?of=front\",service=\"front\",scope=\"repository:x:pull,push\"");
            text(exchange, 401, "{}");
            return;
        }
        if (ways.contains("busy") && count("busy " + key) == 1) {
            exchange.getResponseHeaders().set("Retry-After", "1");
            text(exchange, 429, "{}");
            return;
        }
        if (ways.contains("moved") && isBlob) {
            exchange.getResponseHeaders()
                    .set("Location", "http://127.0.0.1:" + blobs.getAddress().getPort() + path + "?signature=a%2Fb");
            exchange.sendResponseHeaders(307, -1);
            return;
        }
        forward(exchange, path, isBlob ? ways : List.of());
    }

    private void moved(HttpExchange exchange) throws IOException, InterruptedException {
        if (exchange.getRequestHeaders().containsKey("Authorization")
                || !"signature=a%2Fb".equals(exchange.getRequestURI().getRawQuery())) {
            text(exchange, 400, "{}");
            return;
        }
        forward(exchange, exchange.getRequestURI().getPath(), List.of());
    }

    private void forward(HttpExchange exchange, String path, List<String> ways)
            throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create("http://" + options.get("--upstream") + path))
                .method(exchange.getRequestMethod(), HttpRequest.BodyPublishers.noBody());
        exchange.getRequestHeaders()
                .getOrDefault("Accept", List.of())
                .forEach(accept -> request.header("Accept", accept));
        var range = exchange.getRequestHeaders().getFirst("Range");
        if (range != null && !ways.contains("norange")) {
            request.header("Range", range);
        }
        var response = upstream.send(request.build(), BodyHandlers.ofInputStream());
        for (var name : List.of("Content-Type", "Content-Range", "Docker-Content-Digest")) {
            response.headers()
                    .firstValue(name)
                    .ifPresent(v -> exchange.getResponseHeaders().set(name, v));
        }
        var length = response.headers().firstValueAsLong("Content-Length").orElse(0);
        var head = exchange.getRequestMethod().equals("HEAD");
        if (head) {
            exchange.getResponseHeaders().set("Content-Length", Long.toString(length));
        }
        exchange.sendResponseHeaders(response.statusCode(), head || length == 0 ? -1 : length);
        try (var body = response.body()) {
            copy(exchange, body, length, ways);
        }
    }

    private void copy(HttpExchange exchange, InputStream body, long length, List<String> ways)
            throws IOException, InterruptedException {
        var key = exchange.getRequestURI().getPath();
        var breaks = ways.contains("broken") && count("broken " + key) <= 2;
        var stalls = ways.contains("stalled") && count("stalled " + key) == 1;
        var buffer = new byte[1 << 15];
        long done = 0;
        int read;
        while ((read = body.read(buffer)) >= 0) {
            if (ways.contains("wrong") && done + read == length) {
                buffer[read - 1] ^= 1;
            }
            if ((breaks || stalls) && done + read > length / 2) {
                exchange.getResponseBody().write(buffer, 0, (int) Math.max(0, length / 2 - done));
                exchange.getResponseBody().flush();
                if (stalls) {
                    Thread.sleep(60_000);
                }
                return;
            }
            exchange.getResponseBody().write(buffer, 0, read);
            done += read;
            if (ways.contains("slow")) {
                exchange.getResponseBody().flush();
                Thread.sleep(125);
            }
        }
    }

    private int count(String what) {
        return seen.computeIfAbsent(what, _ -> new AtomicInteger()).incrementAndGet();
    }

    // ---- tokens, as the Docker registry's token specification has them

    private void token(HttpExchange exchange) throws IOException, GeneralSecurityException {
        var query = new HashMap<String, String>();
        for (var pair : String.valueOf(exchange.getRequestURI().getRawQuery()).split("&")) {
            var at = pair.indexOf('=');
            query.put(
                    at < 0 ? pair : pair.substring(0, at),
                    java.net.URLDecoder.decode(at < 0 ? "" : pair.substring(at + 1), StandardCharsets.UTF_8));
        }
        if ("front".equals(query.get("of"))) {
            text(exchange, 200, "{\"access_token\":\"open\",\"expires_in\":60}");
            return;
        }
        var login = options.get("--user") + ":" + options.get("--password");
        var expected = "Basic " + Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8));
        if (!expected.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            text(exchange, 401, "{\"details\":\"incorrect username or password\"}");
            return;
        }
        text(exchange, 200, "{\"token\":\"" + jwt(query) + "\",\"expires_in\":60}");
    }

    private String jwt(Map<String, String> query) throws IOException, GeneralSecurityException {
        var certificate = pem(options.get("--token-certificate"));
        var access = new ArrayList<String>();
        for (var scope : query.getOrDefault("scope", "").split(" ")) {
            var parts = scope.split(":");
            if (parts.length == 3) {
                access.add("{\"type\":\"" + parts[0] + "\",\"name\":\"" + parts[1] + "\",\"actions\":[\""
                        + parts[2].replace(",", "\",\"") + "\"]}");
            }
        }
        var now = Instant.now().getEpochSecond();
        var header = "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"" + certificate + "\"]}";
        var claims = "{\"iss\":\"hydra-test\",\"sub\":\"hydra\",\"aud\":\"" + query.get("service") + "\",\"exp\":"
                + (now + 60) + ",\"nbf\":" + (now - 10) + ",\"iat\":" + now + ",\"jti\":\"" + System.nanoTime()
                + "\",\"access\":[" + String.join(",", access) + "]}";
        var signed = url(header.getBytes(StandardCharsets.UTF_8)) + "." + url(claims.getBytes(StandardCharsets.UTF_8));
        var signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key());
        signature.update(signed.getBytes(StandardCharsets.US_ASCII));
        return signed + "." + url(signature.sign());
    }

    private PrivateKey key() throws IOException, GeneralSecurityException {
        var der = Base64.getDecoder().decode(pem(options.get("--token-key")));
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    private static String pem(String file) throws IOException {
        return Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----|\\s", "");
    }

    private static String url(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static void text(HttpExchange exchange, int status, String content) throws IOException {
        var bytes = content.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, exchange.getRequestMethod().equals("HEAD") ? -1 : bytes.length);
        if (!exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseBody().write(bytes);
        }
    }
}
