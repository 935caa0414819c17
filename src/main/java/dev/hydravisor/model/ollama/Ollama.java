package dev.hydravisor.model.ollama;

import dev.hydravisor.host.ForeignText;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Parameters;
import dev.hydravisor.model.Provider;
import dev.hydravisor.model.ollama.OllamaProblem.Kind;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.ollama.OllamaChatModel;
import org.springframework.ai.ollama.api.OllamaApi;
import org.springframework.ai.ollama.api.OllamaChatOptions;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.core.retry.RetryPolicy;
import org.springframework.core.retry.RetryTemplate;
import org.springframework.http.HttpHeaders;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.stereotype.Service;
import org.springframework.web.client.RestClient;
import org.springframework.web.reactive.function.client.WebClient;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/** The models of the Ollama that OLLAMA_HOST names. */
@Service
final class Ollama implements Provider {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Duration LOOKUP = Duration.ofSeconds(10);
    private static final Duration BUSY_PAUSE = Duration.ofSeconds(1);
    private static final int MAX_LINE = 16 << 20;

    /** What Ollama gives a model for a context, however much the model could take, unless it is told otherwise. */
    private static final int DEFAULT_WINDOW = 4096;

    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");

    private final String defaultHost;
    private final Duration connect;
    private final Patience patience;
    private final Map<URI, OllamaApi> apis = new ConcurrentHashMap<>();
    private final Executor threads = Executors.newVirtualThreadPerTaskExecutor();
    private @Nullable HttpClient http;

    Ollama(
            @Value("${ollama.host:127.0.0.1:11434}") String defaultHost,
            @Value("${ollama.connect-timeout:3s}") Duration connect,
            @Value("${ollama.first-token-timeout:5m}") Duration firstToken,
            @Value("${ollama.gap-timeout:60s}") Duration gap) {
        this.defaultHost = defaultHost;
        this.connect = connect;
        this.patience = new Patience(firstToken, gap);
    }

    @Override
    public String name() {
        return "ollama";
    }

    @Override
    public String access(Endpoint endpoint) {
        return base(endpoint) + ", no sign-in";
    }

    @Override
    public List<ModelInfo> models(Endpoint endpoint) {
        var base = base(endpoint);
        var loaded = new HashMap<String, JsonNode>();
        get(base, "/api/ps")
                .path("models")
                .forEach(m -> loaded.put(m.path("name").asString(""), m));
        return get(base, "/api/tags")
                .path("models")
                .valueStream()
                .filter(m -> m.path("name").isString())
                .map(m -> {
                    var name = m.path("name").asString();
                    return info(base, name, m, m.path("size").asLong(0), loaded.containsKey(name), identity(m));
                })
                .toList();
    }

    @Override
    public ModelInfo model(Endpoint endpoint, String id) {
        var base = base(endpoint);
        var shown = show(base, id);
        var running = running(base, id);
        return info(base, id, shown, 0, running != null, identity(base, id, running));
    }

    @Override
    public String identity(Endpoint endpoint, String id) {
        var base = base(endpoint);
        return identity(base, id, running(base, id));
    }

    /** What is loaded is what answers, also where its name stands for another by now. */
    private String identity(URI base, String id, @Nullable JsonNode running) {
        return identity(running == null ? listed(get(base, "/api/tags"), id) : running);
    }

    private static String identity(JsonNode listed) {
        var digest = listed.path("digest").asString("");
        return digest.matches("[0-9a-f]{64}") ? "sha256:" + digest : "";
    }

    private static String full(String id) {
        return id.substring(id.lastIndexOf('/') + 1).contains(":") ? id : id + ":latest";
    }

    @Override
    public void pull(Operation operation, Endpoint endpoint, String id) {
        var base = base(endpoint);
        var body = JSON.createObjectNode().put("model", id).toString();
        var request = HttpRequest.newBuilder(URI.create(base + "/api/pull"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        operation.run(() -> operation.stage("pulling " + id, () -> {
            var done = false;
            try {
                var response = http().send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
                try (var lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
                    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                        done = pulled(operation, JSON.readTree(line));
                    }
                }
            } catch (JacksonException e) {
                throw explain(new OllamaProblem(Kind.FOREIGN, "no JSON"), base, id)
                        .error();
            } catch (ConnectException e) {
                throw silent(base, e);
            } catch (IOException e) {
                if (e.getCause() instanceof InterruptedException) {
                    throw HydraException.interrupted();
                }
                throw HydraException.unavailable(
                        "the download of `" + id + "` broke off (" + line(String.valueOf(e.getMessage()))
                                + "); pull it again, and it goes on",
                        e);
            }
            if (!done) {
                throw HydraException.unavailable(
                        "the download of `" + id + "` broke off; pull it again, and it goes on");
            }
        }));
    }

    /** True for the line that says that all is there. */
    private static boolean pulled(Operation operation, JsonNode line) {
        var error = line.path("error").asString("");
        if (!error.isEmpty()) {
            throw HydraException.failed(
                    "ollama could not pull it: " + line(error) + "; look at the name, and pull it again");
        }
        if (line.path("total").asLong(0) > 0) {
            operation.progress(
                    line.path("completed").asLong(0), line.path("total").asLong(), "bytes");
        }
        return line.path("status").asString("").equals("success");
    }

    @Override
    public void remove(Endpoint endpoint, String id) {
        var base = base(endpoint);
        var body = JSON.createObjectNode().put("model", id).toString();
        try {
            var response = http().send(
                            HttpRequest.newBuilder(URI.create(base + "/api/delete"))
                                    .header("Content-Type", "application/json")
                                    .timeout(LOOKUP)
                                    .method("DELETE", HttpRequest.BodyPublishers.ofString(body))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                var headers = new HttpHeaders();
                response.headers().map().forEach(headers::addAll);
                throw explain(OllamaStream.refusal(response.statusCode(), headers, response.body()), base, id)
                        .error();
            }
        } catch (IOException e) {
            throw silent(base, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    @Override
    public OptionalInt window(Endpoint endpoint, String id) {
        var base = base(endpoint);
        var running = running(base, id);
        if (running != null && running.path("context_length").asInt(0) > 0) {
            return OptionalInt.of(running.path("context_length").asInt());
        }
        var context = context(show(base, id));
        return context == null ? OptionalInt.empty() : OptionalInt.of(Math.min(context, DEFAULT_WINDOW));
    }

    @Override
    public ChatModel chat(Endpoint endpoint, String id, Parameters parameters) {
        var options = OllamaChatOptions.builder()
                .model(id)
                .temperature(parameters.temperature())
                .topP(parameters.topP())
                .maxTokens(parameters.maxTokens())
                .numCtx(parameters.context());
        if (parameters.think() != null) {
            options = parameters.think() ? options.enableThinking() : options.disableThinking();
        }
        return OllamaChatModel.builder()
                .ollamaApi(apis.computeIfAbsent(base(endpoint), this::api))
                .options(options.build())
                // The default tries ten times within some 22 minutes.
                .retryTemplate(new RetryTemplate(RetryPolicy.withMaxRetries(0)))
                .build();
    }

    @Override
    public Patience patience() {
        return patience;
    }

    @Override
    public Failure explain(Throwable failure, Endpoint endpoint, String id) {
        var base = base(endpoint);
        for (Throwable t = failure; t != null; t = t.getCause()) {
            switch (t) {
                case HydraException h -> {
                    return new Failure(h, null);
                }
                case OllamaProblem p -> {
                    return explain(p, base, id);
                }
                case ConnectException _,
                        HttpConnectTimeoutException _,
                        UnresolvedAddressException _,
                        UnknownHostException _,
                        NoRouteToHostException _ -> {
                    return new Failure(silent(base, failure), null);
                }
                case IOException _ -> {
                    // A connection kept open from an earlier question, whose server is another by now, ends like this
                    // too.
                    return new Failure(
                            HydraException.unavailable(
                                    "ollama at `" + base + "` closed the connection without an answer; ask again",
                                    failure),
                            Duration.ZERO);
                }
                default -> {}
            }
        }
        return new Failure(
                HydraException.failed(
                        "the answer of `" + id + "` could not be read: " + line(String.valueOf(failure.getMessage()))
                                + "; ask again",
                        failure),
                null);
    }

    private static Failure explain(OllamaProblem problem, URI base, String id) {
        var text = line(String.valueOf(problem.getMessage()));
        return switch (problem.kind) {
            case FOREIGN ->
                new Failure(
                        HydraException.unavailable(
                                "`" + base + "` is not ollama: it answered with `" + text + "`; set OLLAMA_HOST",
                                problem),
                        null);
            case GARBLED ->
                new Failure(
                        HydraException.failed(
                                "ollama at `" + base + "` sent a line that is no JSON; ask again", problem),
                        null);
            case CUT ->
                new Failure(
                        HydraException.unavailable(
                                "the connection to ollama at `" + base
                                        + "` broke in the middle of the answer; ask again",
                                problem),
                        Duration.ZERO);
            case ERROR ->
                switch (problem.status) {
                    case 404 ->
                        new Failure(
                                HydraException.notFound(
                                        "model `" + id + "` is not there; get it with `ollama pull " + id + "`"),
                                null);
                    case 400 ->
                        new Failure(
                                HydraException.failed(
                                        "ollama refuses the question: " + text + "; change it, or choose another model",
                                        problem),
                                null,
                                text.contains("does not support tools"));
                    case 429, 503 ->
                        new Failure(
                                HydraException.unavailable(
                                        "ollama is busy (" + text + "); ask again in a moment", problem),
                                problem.retryAfter == null ? BUSY_PAUSE : problem.retryAfter);
                    default ->
                        new Failure(
                                HydraException.failed(
                                        "ollama failed: " + text + "; ask again, or see ollama's log", problem),
                                null);
                };
        };
    }

    private static HydraException silent(URI base, Throwable cause) {
        return HydraException.unavailable(
                "ollama does not answer at `" + base + "`; start it with `ollama serve` or set OLLAMA_HOST", cause);
    }

    private URI base(Endpoint endpoint) {
        return OllamaHost.parse(endpoint.get("OLLAMA_HOST", defaultHost));
    }

    private static ModelInfo info(URI base, String name, JsonNode node, long size, boolean loaded, String identity) {
        var details = node.path("details");
        var remoteHost = node.path("remote_host").asString("");
        var remote = !remoteHost.isEmpty()
                || !node.path("remote_model").asString("").isEmpty()
                || name.endsWith(":cloud")
                || name.endsWith("-cloud");
        String where;
        if (remote) {
            where = remoteHost.isEmpty() ? "ollama.com" : remoteHost.replaceAll("^https?://|:443$", "");
        } else {
            where = LOOPBACK.contains(base.getHost()) ? "this machine" : base.getHost();
        }
        return new ModelInfo(
                new ModelRef("ollama", name),
                size,
                details.path("family").asString(""),
                details.path("parameter_size").asString(""),
                context(node),
                loaded,
                remote,
                node.path("capabilities").valueStream().map(c -> c.asString("")).toList(),
                where,
                identity,
                null);
    }

    private static @Nullable Integer context(JsonNode node) {
        var info = node.path("model_info");
        var length = info.path(info.path("general.architecture").asString("") + ".context_length")
                .asInt(node.path("details").path("context_length").asInt(0));
        return length > 0 ? length : null;
    }

    private JsonNode show(URI base, String id) {
        var body = JSON.createObjectNode().put("model", id).toString();
        return ask(
                base,
                id,
                HttpRequest.newBuilder(URI.create(base + "/api/show"))
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private @Nullable JsonNode running(URI base, String id) {
        var found = listed(get(base, "/api/ps"), id);
        return found.isObject() ? found : null;
    }

    /** The entry of a model; a missing node where there is none. */
    private static JsonNode listed(JsonNode list, String id) {
        var full = full(id);
        return list.path("models")
                .valueStream()
                .filter(m -> m.path("name").asString("").equals(full))
                .findFirst()
                .orElse(MissingNode.getInstance());
    }

    private JsonNode get(URI base, String path) {
        return ask(base, "", HttpRequest.newBuilder(URI.create(base + path)));
    }

    private JsonNode ask(URI base, String id, HttpRequest.Builder request) {
        try {
            var response = http().send(request.timeout(LOOKUP).build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                var headers = new HttpHeaders();
                response.headers().map().forEach(headers::addAll);
                throw explain(OllamaStream.refusal(response.statusCode(), headers, response.body()), base, id)
                        .error();
            }
            var node = JSON.readTree(response.body());
            if (node.isObject()) {
                return node;
            }
        } catch (JacksonException e) {
            // said below
        } catch (HttpConnectTimeoutException e) {
            throw silent(base, e);
        } catch (HttpTimeoutException e) {
            throw HydraException.unavailable(
                    "ollama at `" + base + "` did not answer within " + LOOKUP.toSeconds() + " s; ask again", e);
        } catch (IOException e) {
            throw silent(base, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
        throw explain(new OllamaProblem(Kind.FOREIGN, "no JSON"), base, id).error();
    }

    private OllamaApi api(URI base) {
        return OllamaApi.builder()
                .baseUrl(base.toString())
                .restClientBuilder(RestClient.builder().requestFactory(new JdkClientHttpRequestFactory(http())))
                .webClientBuilder(WebClient.builder()
                        .clientConnector(new AnswerConnector(this::client))
                        .codecs(codecs -> codecs.defaultCodecs().maxInMemorySize(MAX_LINE))
                        .filter(new OllamaStream(MAX_LINE)))
                .build();
    }

    /** Made at the first use: a client has threads. */
    private synchronized HttpClient http() {
        if (http == null) {
            http = client();
        }
        return http;
    }

    private HttpClient client() {
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(connect)
                .executor(threads)
                .build();
    }

    /** Foreign text as a part of one line. */
    private static String line(String text) {
        var plain = ForeignText.plain(text).replaceAll("\\s+", " ").strip();
        return plain.length() <= 200 ? plain : plain.substring(0, 199) + "…";
    }
}
