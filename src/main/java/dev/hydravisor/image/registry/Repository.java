package dev.hydravisor.image.registry;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.BlobSource;
import dev.hydravisor.image.Descriptor;
import dev.hydravisor.image.Reference;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One repository of a registry, spoken to as the OCI distribution specification says. It authenticates when asked to, follows
 * redirects without taking the credentials along, waits when told to, and tries again what failed in between. Safe to use from
 * several threads.
 */
public final class Repository implements BlobSource, AutoCloseable {
    static final int FAILURES = 6;
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(2);
    private static final int REDIRECTS = 8;
    private static final int LARGEST_MANIFEST = 4 << 20;
    private static final int LARGEST_ERROR = 64 << 10;
    private static final String ACCEPT = String.join(
            ", ",
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json");
    private static final JsonMapper JSON = JsonMapper.shared();

    /** A manifest or an index, unverified. {@code mediaType} is what the registry calls it, empty when it says nothing. */
    public record Document(String mediaType, byte[] content) {}

    /** The registry wants to be asked again later. */
    private static final class Busy extends IOException {
        private final transient Duration wait;

        Busy(int status, Duration wait) {
            super("status " + status);
            this.wait = wait;
        }
    }

    private final Registries registries;
    private final Reference reference;
    private final String host;
    private final Map<String, HttpClient> clients = new ConcurrentHashMap<>();
    private final ReentrantLock authenticating = new ReentrantLock();
    private volatile String scheme;
    private volatile boolean answered;
    private volatile @Nullable String authorization;

    Repository(Registries registries, Reference reference) {
        this.registries = registries;
        this.reference = reference;
        host = reference.registry().equals("docker.io") ? "registry-1.docker.io" : reference.registry();
        scheme = registries.mayBePlain(host) ? "http" : "https";
    }

    /**
     * The manifest or index of a tag or digest.
     *
     * @throws HydraException NOT_FOUND when there is none; UNAVAILABLE when the registry cannot be reached
     */
    public Document manifest(String version) throws InterruptedException {
        try {
            return read(() -> {
                var response = send("GET", "manifests/" + version, Map.of("Accept", ACCEPT));
                try (var body = response.body()) {
                    requireOk(response.statusCode(), body, reference.familiar());
                    var content = body.readNBytes(LARGEST_MANIFEST + 1);
                    if (content.length > LARGEST_MANIFEST) {
                        throw HydraException.failed("the manifest of `" + reference.familiar()
                                + "` has more than 4 MiB; use another image");
                    }
                    return new Document(
                            response.headers().firstValue("Content-Type").orElse(""), content);
                }
            });
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /** The digest the tag or digest stands for now; empty when there is none, or the registry does not say. */
    public Optional<String> digest(String version) throws InterruptedException {
        try {
            return read(() -> {
                var response = send("HEAD", "manifests/" + version, Map.of("Accept", ACCEPT));
                response.body().close();
                return response.statusCode() == 200
                        ? response.headers().firstValue("Docker-Content-Digest")
                        : Optional.empty();
            });
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    @Override
    public InputStream open(Descriptor blob) {
        return new ResumingStream(this, blob);
    }

    @Override
    public byte[] small(Descriptor blob) throws IOException, InterruptedException {
        // Descriptions are kept apart from blobs.
        return ACCEPT.contains(blob.mediaType()) && !blob.mediaType().isEmpty()
                ? manifest(blob.digest()).content()
                : BlobSource.super.small(blob);
    }

    /** A blob from a byte on, or, where the registry cannot do that, from its beginning: then the status is 200. Tries once. */
    HttpResponse<InputStream> blob(Descriptor blob, long from) throws IOException, InterruptedException {
        var response =
                once("GET", "blobs/" + blob.digest(), from == 0 ? Map.of() : Map.of("Range", "bytes=" + from + "-"), 1);
        if (response.statusCode() != 206) {
            try {
                requireOk(response.statusCode(), response.body(), "layer " + blob.shortDigest());
            } catch (HydraException e) {
                response.body().close();
                throw e;
            }
        }
        return response;
    }

    Duration stallTimeout() {
        return registries.properties().stallTimeout();
    }

    /** What a failed connection looks like to the user. */
    HydraException unreachable(IOException e) {
        if (e instanceof SSLException) {
            return HydraException.unavailable(
                    "registry `" + host + "` has no certificate that this host trusts (" + why(e)
                            + "); put its CA into `"
                            + registries.logins().folder().resolve("certs.d").resolve(reference.registry())
                            + "/ca.crt`, or name it in `image.insecure-registries`",
                    e);
        }
        return HydraException.unavailable(
                "registry `" + host + "` cannot be reached (" + why(e)
                        + "); check its name and the network, then try again",
                e);
    }

    /** How long to wait before the next try after so many failures in a row. */
    static Duration pause(int failures, IOException last) {
        return last instanceof Busy busy ? busy.wait : Duration.ofMillis(250L << Math.min(failures, 6));
    }

    @Override
    public void close() {
        clients.values().forEach(HttpClient::shutdownNow);
    }

    private interface Request<T> {
        T send() throws IOException, InterruptedException;
    }

    /** Does a request whose whole answer is small, again when it breaks off. */
    private static <T> T read(Request<T> request) throws IOException, InterruptedException {
        try {
            return request.send();
        } catch (ConnectException | SSLException | Busy e) {
            throw e;
        } catch (IOException e) {
            return request.send();
        }
    }

    /** Sends a request until there is an answer that another try would not change. */
    private HttpResponse<InputStream> send(String method, String path, Map<String, String> headers)
            throws IOException, InterruptedException {
        for (int failures = 1; ; failures++) {
            try {
                return once(method, path, headers, failures);
            } catch (SSLException e) {
                throw e;
            } catch (IOException e) {
                if (failures >= FAILURES || (e instanceof ConnectException && !answered)) {
                    throw e;
                }
                Thread.sleep(pause(failures, e));
            }
        }
    }

    private HttpResponse<InputStream> once(String method, String path, Map<String, String> headers, int failures)
            throws IOException, InterruptedException {
        var response = attempt(method, path, headers);
        var status = response.statusCode();
        if (status == 429 || (status >= 500 && status != 501)) {
            response.body().close();
            throw new Busy(status, retryAfter(response, failures));
        }
        return response;
    }

    private HttpResponse<InputStream> attempt(String method, String path, Map<String, String> headers)
            throws IOException, InterruptedException {
        var authenticated = false;
        var start = start(path);
        var uri = start;
        for (int hops = 0; hops < REDIRECTS; ) {
            var own = sameOrigin(uri, start);
            var used = own ? authorization : null;
            var response = exchange(method, uri, headers, used, BodyPublishers.noBody());
            switch (response.statusCode()) {
                case 401 -> {
                    response.body().close();
                    if (!own || authenticated) {
                        throw denied();
                    }
                    authenticate(used, Challenge.parse(response.headers().allValues("WWW-Authenticate")));
                    authenticated = true;
                }
                case 301, 302, 303, 307, 308 -> {
                    response.body().close();
                    uri = redirected(
                            uri, response.headers().firstValue("Location").orElse(""));
                    hops++;
                }
                case 400 -> {
                    if (!scheme.equals("http") || answered || !speaksTls(response)) {
                        return response;
                    }
                    scheme = "https";
                    start = start(path);
                    uri = start;
                }
                default -> {
                    answered = true;
                    return response;
                }
            }
        }
        throw HydraException.failed("registry `" + host + "` redirects in a circle; tell those who run it");
    }

    private URI start(String path) {
        return URI.create(scheme + "://" + host + "/v2/" + reference.repository() + "/" + path);
    }

    private HttpResponse<InputStream> exchange(
            String method, URI uri, Map<String, String> headers, @Nullable String authorization, BodyPublisher body)
            throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri)
                .method(method, body)
                .timeout(registries.properties().answerTimeout())
                .header("User-Agent", "hydra");
        headers.forEach(request::header);
        if (authorization != null) {
            request.header("Authorization", authorization);
        }
        return client(uri).send(request.build(), BodyHandlers.ofInputStream());
    }

    private HttpClient client(URI uri) {
        var secure = "https".equals(uri.getScheme());
        return clients.computeIfAbsent(secure ? uri.getAuthority() : "", _ -> {
            var client = HttpClient.newBuilder()
                    // Over one HTTP/2 connection layers would share a small window.
                    .version(HttpClient.Version.HTTP_1_1)
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .connectTimeout(registries.properties().connectTimeout())
                    .executor(Executors.newVirtualThreadPerTaskExecutor());
            if (secure) {
                var trusted = uri.getAuthority().equals(host) ? reference.registry() : uri.getAuthority();
                client.sslContext(Trust.of(trusted, registries.logins().folder()));
            }
            return client.build();
        });
    }

    private URI redirected(URI from, String location) {
        URI to;
        try {
            to = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw badRedirect(location);
        }
        var plain = "http".equals(to.getScheme());
        if (to.getHost() == null || !(plain || "https".equals(to.getScheme()))) {
            throw badRedirect(location);
        }
        if (plain && !registries.mayBePlain(to.getAuthority())) {
            throw HydraException.failed("registry `" + host + "` redirects to `" + PlainText.shorten(to.getAuthority())
                    + "` without TLS; if that is right, name that host in `image.insecure-registries`");
        }
        return to;
    }

    private HydraException badRedirect(String location) {
        return HydraException.failed("registry `" + host + "` redirects to `" + PlainText.shorten(location)
                + "`, which is no address; tell those who run it");
    }

    private static boolean sameOrigin(URI a, URI b) {
        return Objects.equals(a.getScheme(), b.getScheme()) && Objects.equals(a.getAuthority(), b.getAuthority());
    }

    /** Whether a server that got plain HTTP says that it wants TLS, as Go's and nginx do. */
    private static boolean speaksTls(HttpResponse<InputStream> response) throws IOException {
        try (var body = response.body()) {
            return new String(body.readNBytes(1024), StandardCharsets.UTF_8).contains("HTTPS");
        }
    }

    // ---- authentication

    /** Gets what {@code challenges} ask for; nothing when another thread has done so since {@code used} was. */
    private void authenticate(@Nullable String used, List<Challenge> challenges)
            throws IOException, InterruptedException {
        authenticating.lockInterruptibly();
        try {
            if (!Objects.equals(authorization, used)) {
                return;
            }
            var login = registries.logins().login(reference.registry()).orElse(null);
            for (var challenge : challenges) {
                if (challenge.scheme().equals("bearer")) {
                    authorization = "Bearer " + token(challenge, login);
                    return;
                }
                if (challenge.scheme().equals("basic") && login != null && !login.identityToken() && used == null) {
                    authorization = login.basic();
                    return;
                }
            }
            throw denied();
        } finally {
            authenticating.unlock();
        }
    }

    /** Asks the server that the challenge names for a token to pull with. */
    private String token(Challenge challenge, DockerConfig.@Nullable Login login)
            throws IOException, InterruptedException {
        var realm = realm(challenge);
        var service = challenge.parameters().getOrDefault("service", "");
        var scope = challenge.parameters().getOrDefault("scope", "repository:" + reference.repository() + ":pull");
        HttpResponse<InputStream> response;
        if (login != null && login.identityToken()) {
            var form = "grant_type=refresh_token&client_id=hydra&service=" + encode(service) + "&scope=" + encode(scope)
                    + "&refresh_token=" + encode(login.secret());
            response = exchange(
                    "POST",
                    realm,
                    Map.of("Content-Type", "application/x-www-form-urlencoded"),
                    null,
                    BodyPublishers.ofString(form));
        } else {
            var query = (realm.getRawQuery() == null ? "?" : "&") + "service=" + encode(service) + "&scope="
                    + encode(scope) + (login == null ? "" : "&account=" + encode(login.user()));
            response = exchange(
                    "GET",
                    URI.create(realm + query),
                    Map.of(),
                    login == null ? null : login.basic(),
                    BodyPublishers.noBody());
        }
        try (var body = response.body()) {
            var status = response.statusCode();
            if (status == 429 || status >= 500) {
                throw new Busy(status, retryAfter(response, 1));
            }
            if (status != 200) {
                throw denied();
            }
            var answer = JSON.readTree(body.readNBytes(LARGEST_ERROR));
            var token =
                    answer.path("token").asString(answer.path("access_token").asString(""));
            // What is no token could smuggle in another header.
            if (token.matches("[\\x21-\\x7e]+")) {
                return token;
            }
        } catch (JacksonException e) {
            // said below
        }
        throw HydraException.failed("`" + realm.getAuthority() + "`, which gives out tokens for registry `" + host
                + "`, gives none; try again");
    }

    private URI realm(Challenge challenge) {
        var text = challenge.parameters().getOrDefault("realm", "");
        try {
            var realm = new URI(text);
            if (realm.getHost() != null
                    && ("https".equals(realm.getScheme())
                            || ("http".equals(realm.getScheme()) && registries.mayBePlain(realm.getAuthority())))) {
                return realm;
            }
        } catch (java.net.URISyntaxException e) {
            // said below
        }
        throw HydraException.failed("registry `" + host + "` sends for a token to `" + PlainText.shorten(text)
                + "`, which is no address with TLS; if it is right, name that host in `image.insecure-registries`");
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private HydraException denied() {
        return HydraException.failed("registry `" + host + "` denies access to `" + reference.repository()
                + "`: it does not exist, or needs a login; check the name, or log in with `docker login "
                + reference.registry() + "`");
    }

    // ---- answers

    private void requireOk(int status, InputStream body, String what) throws IOException {
        switch (status) {
            case 200 -> {}
            case 403 -> throw denied();
            case 404 ->
                throw HydraException.notFound("`" + what + "` does not exist in registry `" + host + "`" + reason(body)
                        + "; check name and tag");
            default ->
                throw HydraException.failed("registry `" + host + "` answers for `" + what + "` with status " + status
                        + reason(body) + "; try again later");
        }
    }

    /** The reason in an error's body, as the specification has it; empty when there is none. */
    private static String reason(InputStream body) throws IOException {
        try {
            JsonNode answer = JSON.readTree(body.readNBytes(LARGEST_ERROR));
            var message = answer.path("errors").path(0).path("message").asString("");
            return message.isEmpty() ? "" : " (" + PlainText.shorten(message) + ")";
        } catch (JacksonException e) {
            return "";
        }
    }

    /** How long {@code Retry-After} says to wait, at most two minutes; without it, longer after each failure. */
    private static Duration retryAfter(HttpResponse<?> response, int failures) {
        var header = response.headers().firstValue("Retry-After").orElse("").strip();
        Duration wait;
        if (header.matches("\\d{1,9}")) {
            wait = Duration.ofSeconds(Long.parseLong(header));
        } else {
            try {
                var then = ZonedDateTime.parse(header, DateTimeFormatter.RFC_1123_DATE_TIME);
                wait = Duration.between(Instant.now(), then);
            } catch (DateTimeParseException e) {
                wait = Duration.ofMillis(250L << failures);
            }
        }
        return wait.isNegative() ? Duration.ZERO : wait.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wait;
    }

    private static String why(IOException e) {
        if (e.getMessage() != null) {
            return e.getMessage();
        }
        return e instanceof ConnectException
                ? "connection refused or no such host"
                : e.getClass().getSimpleName();
    }
}
