package dev.hydravisor.image.registry;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The credentials that {@code docker login} and its kin left in Docker's {@code config.json}, or in the helper it names. */
final class DockerConfig {
    private static final Logger log = LoggerFactory.getLogger(DockerConfig.class);
    private static final String HUB_KEY = "https://index.docker.io/v1/";
    private static final Pattern HELPER = Pattern.compile("[A-Za-z0-9._-]+");
    private static final Duration HELPER_LIMIT = Duration.ofSeconds(30);
    private static final JsonMapper JSON = JsonMapper.shared();

    /** A name and password, or an identity token that buys access tokens. */
    record Login(String user, String secret, boolean identityToken) {
        String basic() {
            return "Basic "
                    + Base64.getEncoder().encodeToString((user + ":" + secret).getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public String toString() {
            return "Login[" + user + "]";
        }
    }

    private final Path folder;
    private final Path file;

    /** @param folder of the file, which need not exist; null for the user's own */
    DockerConfig(@Nullable String folder) {
        var own = System.getenv("DOCKER_CONFIG");
        this.folder = folder != null && !folder.isBlank()
                ? Path.of(folder)
                : own != null && !own.isBlank() ? Path.of(own) : Path.of(System.getProperty("user.home"), ".docker");
        file = this.folder.resolve("config.json");
    }

    /** Where the file lies. */
    Path folder() {
        return folder;
    }

    /**
     * The login for a registry: from the helper that is named for it, else from the file, else from the helper for all.
     *
     * @param registry host, with its port where it has one
     * @throws HydraException FAILED when the file cannot be read
     */
    Optional<Login> login(String registry) {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        JsonNode config;
        try {
            config = JSON.readTree(Files.readString(file));
        } catch (IOException | JacksonException e) {
            throw HydraException.failed("`" + file + "` cannot be read; correct it, or log in anew", e);
        }
        var helper = entry(config.path("credHelpers"), registry)
                .map(n -> n.asString(""))
                .filter(name -> !name.isEmpty());
        if (helper.isPresent()) {
            return ask(helper.get(), registry);
        }
        var login = entry(config.path("auths"), registry).flatMap(this::inFile);
        var store = config.path("credsStore").asString("");
        return login.isPresent() || store.isEmpty() ? login : ask(store, registry);
    }

    private Optional<Login> inFile(JsonNode entry) {
        var token = entry.path("identitytoken").asString("");
        if (!token.isEmpty()) {
            return Optional.of(new Login("<token>", token, true));
        }
        var auth = entry.path("auth").asString("");
        if (auth.isEmpty()) {
            var user = entry.path("username").asString("");
            return user.isEmpty()
                    ? Optional.empty()
                    : Optional.of(new Login(user, entry.path("password").asString(""), false));
        }
        try {
            var pair = new String(Base64.getDecoder().decode(auth.strip()), StandardCharsets.UTF_8);
            var colon = pair.indexOf(':');
            if (colon > 0) {
                // Docker pads with NUL.
                return Optional.of(new Login(
                        pair.substring(0, colon), pair.substring(colon + 1).replaceAll("\0+$", ""), false));
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw HydraException.failed("an `auth` in `" + file + "` is no base64 of NAME:PASSWORD; log in anew");
    }

    /** The protocol of docker-credential-helpers: the server's name in, JSON out. */
    private Optional<Login> ask(String helper, String registry) {
        if (!HELPER.matcher(helper).matches()) {
            throw HydraException.failed("the credential helper in `" + file + "` has no usable name; correct it");
        }
        var program = "docker-credential-" + helper;
        var key = registry.equals("docker.io") ? HUB_KEY : registry;
        Processes.Result result;
        try {
            result = Processes.run(HELPER_LIMIT, List.of(program, "get"), key.getBytes(StandardCharsets.UTF_8));
        } catch (HydraException e) {
            if (e.exitCode() != ExitCode.UNAVAILABLE) {
                throw e;
            }
            log.warn("{} names {}, which is not installed; going on without a login for {}", file, program, registry);
            return Optional.empty();
        }
        if (!result.ok()) {
            // It ends like this when it knows no such server; pulling without a login may be enough.
            log.info("{} has no login for {}: {}", program, registry, result.reason());
            return Optional.empty();
        }
        try {
            var answer = JSON.readTree(result.out());
            var user = answer.path("Username").asString("");
            var secret = answer.path("Secret").asString("");
            return secret.isEmpty() ? Optional.empty() : Optional.of(new Login(user, secret, user.equals("<token>")));
        } catch (JacksonException e) {
            throw HydraException.failed(
                    "`" + program + "` answers something else than JSON; log in anew, or mend it", e);
        }
    }

    /** The entry of a registry, whose key may have a scheme and a path, as older tools wrote it. */
    private static Optional<JsonNode> entry(JsonNode entries, String registry) {
        return entries.propertyStream()
                .filter(e -> host(e.getKey()).equals(registry))
                .findFirst()
                .map(e -> e.getValue());
    }

    private static String host(String key) {
        var host = key.replaceFirst("^https?://", "").replaceFirst("/.*$", "");
        return host.equals("index.docker.io") || host.equals("registry-1.docker.io") ? "docker.io" : host;
    }
}
