package dev.hydravisor.model.bedrock;

import dev.hydravisor.host.ForeignText;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Parameters;
import dev.hydravisor.model.Provider;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Service;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4FamilyHttpSigner;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.PartitionMetadata;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/** The models of Amazon Bedrock. Nothing of AWS is touched before one of them is asked for. */
@Service
@EnableConfigurationProperties(BedrockSettings.class)
final class Bedrock implements Provider {
    private static final Duration LOOKUP = Duration.ofSeconds(10);
    private static final Duration BUSY_PAUSE = Duration.ofSeconds(1);
    private static final String SIGN_IN = "sign in with `aws sso login` or `aws configure`, or set AWS_PROFILE";

    /** An inference profile's id is a model's behind a group of regions, such as {@code eu}. */
    private static final Pattern PROFILE = Pattern.compile("(?:us|eu|apac|global)\\.|[a-z-]+\\.[a-z0-9-]+\\.");

    private final BedrockSettings settings;
    private final Map<Account, Client> clients = new ConcurrentHashMap<>();
    /** Of inference profiles that were listed. */
    private final Map<Placed, String> arns = new ConcurrentHashMap<>();

    private final Set<String> toolsWhole = ConcurrentHashMap.newKeySet();

    private record Placed(String region, String id) {}

    /** Who asks where. */
    private record Account(@Nullable String profile, String region) {}

    private record Client(AwsCredentialsProvider credentials, BedrockRuntimeAsyncClient runtime) {}

    Bedrock(BedrockSettings settings) {
        this.settings = settings;
    }

    @Override
    public String name() {
        return "bedrock";
    }

    @Override
    public boolean isSetUp(Endpoint endpoint) {
        return settings.region() != null
                || !endpoint.get("AWS_PROFILE", "").isEmpty()
                || !endpoint.get("AWS_REGION", "").isEmpty()
                || System.getenv("AWS_ACCESS_KEY_ID") != null
                || Files.exists(Path.of(System.getProperty("user.home"), ".aws"));
    }

    @Override
    public List<ModelInfo> models(Endpoint endpoint) {
        var models = new ArrayList<ModelInfo>();
        get(endpoint, "/foundation-models").path("modelSummaries").forEach(m -> {
            var streams = m.path("responseStreamingSupported").asBoolean(false);
            var onDemand = m.path("inferenceTypesSupported")
                    .valueStream()
                    .anyMatch(t -> t.asString("").equals("ON_DEMAND"));
            if (streams && onDemand) {
                models.add(info(endpoint, m.path("modelId").asString(""), m.path("modelArn"), m));
            }
        });
        get(endpoint, "/inference-profiles")
                .path("inferenceProfileSummaries")
                .forEach(p -> models.add(
                        info(endpoint, p.path("inferenceProfileId").asString(""), p.path("inferenceProfileArn"), p)));
        return models;
    }

    @Override
    public ModelInfo model(Endpoint endpoint, String id) {
        // A caller may be allowed to talk to a model and not to look it up: what the lookup says is not needed for
        // talking.
        credentials(endpoint);
        return info(endpoint, id, MissingNode.getInstance(), MissingNode.getInstance());
    }

    @Override
    public String identity(Endpoint endpoint, String id) {
        if (id.startsWith("arn:")) {
            return id;
        }
        return PROFILE.matcher(id).lookingAt()
                ? arns.computeIfAbsent(new Placed(region(endpoint), id), _ -> profile(endpoint, id))
                : arn(endpoint, id);
    }

    /** The ARN of a foundation model follows from its id. */
    private String arn(Endpoint endpoint, String id) {
        var region = region(endpoint);
        return "arn:" + PartitionMetadata.of(Region.of(region)).id() + ":bedrock:" + region + "::foundation-model/"
                + id;
    }

    /** The ARN of an inference profile names the account, which only AWS knows. */
    private String profile(Endpoint endpoint, String id) {
        return get(endpoint, "/inference-profiles")
                .path("inferenceProfileSummaries")
                .valueStream()
                .filter(p -> p.path("inferenceProfileId").asString("").equals(id))
                .map(p -> p.path("inferenceProfileArn").asString(""))
                .filter(text -> text.matches("arn:[\\x21-\\x7E]+"))
                .findFirst()
                .orElse("");
    }

    @Override
    public OptionalInt window(Endpoint endpoint, String id) {
        return OptionalInt.of(settings.contextWindow());
    }

    @Override
    public ChatModel chat(Endpoint endpoint, String id, Parameters parameters) {
        credentials(endpoint);
        return new BedrockChat(client(endpoint).runtime(), id, parameters, toolsWhole);
    }

    @Override
    public Patience patience() {
        return new Patience(settings.firstTokenTimeout(), settings.gapTimeout());
    }

    @Override
    public String access(Endpoint endpoint) {
        var credentials = credentials(endpoint);
        return "region " + region(endpoint) + ", credentials from "
                + credentials.providerName().map(Bedrock::origin).orElse("the AWS default chain");
    }

    /** The SDK names where credentials come from by the letters that it sends in its User-Agent, several with commas between. */
    private static String origin(String letters) {
        return Arrays.stream(letters.split(","))
                .map(letter -> switch (letter.strip()) {
                    case "e" -> "the configuration";
                    case "g" -> "the environment";
                    case "h", "k", "q" -> "a web identity";
                    case "i", "j" -> "a role";
                    case "n", "o", "p" -> "a profile";
                    case "r", "s", "t", "u" -> "SSO";
                    case "v", "w" -> "a process";
                    case "z" -> "the container";
                    case "0" -> "instance metadata";
                    case "AC", "AD" -> "`aws login`";
                    default -> "the AWS default chain";
                })
                .distinct()
                .collect(Collectors.joining(", "));
    }

    @Override
    public Failure explain(Throwable failure, Endpoint endpoint, String id) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            switch (t) {
                case HydraException h -> {
                    return new Failure(h, null);
                }
                case BedrockProblem p
                when p.kind == BedrockProblem.Kind.FOREIGN -> {
                    return lasting(HydraException.unavailable(
                            "what answers at `" + where(endpoint) + "` is no bedrock (" + line(p.getMessage())
                                    + "); look at the proxy or the endpoint",
                            failure));
                }
                case BedrockProblem _ -> {
                    return cut(failure);
                }
                case AwsServiceException e -> {
                    return explain(e, endpoint, id);
                }
                case SdkClientException e
                when String.valueOf(e.getMessage()).contains("credentials") -> {
                    return lasting(noCredentials(e));
                }
                default -> {}
            }
        }
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof java.net.ConnectException || t instanceof java.net.UnknownHostException) {
                return lasting(HydraException.unavailable(
                        "bedrock does not answer at `" + where(endpoint) + "`; look at the network, or at AWS_REGION",
                        failure));
            }
            if (t instanceof IOException && !(t instanceof ClosedChannelException)
                    || t instanceof SdkException s && s.getCause() == null) {
                return cut(failure);
            }
        }
        return cut(failure);
    }

    private static Failure cut(Throwable failure) {
        return new Failure(
                HydraException.unavailable(
                        "the connection to bedrock broke in the middle of the answer ("
                                + line(root(failure).getMessage()).replaceFirst("\\. .*", "") + "); ask again",
                        failure),
                Duration.ZERO);
    }

    private Failure explain(AwsServiceException e, Endpoint endpoint, String id) {
        var details = e.awsErrorDetails();
        var code = details == null || details.errorCode() == null ? "" : details.errorCode();
        var said = details == null || details.errorMessage() == null ? "" : line(details.errorMessage());
        var status = e.statusCode();
        if (code.contains("Expired") || said.contains("expired")) {
            return lasting(HydraException.unavailable("the AWS credentials have expired; " + SIGN_IN, e));
        }
        return switch (code.replaceFirst("^.*#", "")) {
            case "AccessDeniedException" ->
                lasting(new HydraException(
                        ExitCode.DENIED,
                        "AWS does not let you use `" + id + "` (" + said
                                + "); ask for access to it in the Bedrock console of " + region(endpoint),
                        e));
            case "ResourceNotFoundException" ->
                lasting(HydraException.notFound("bedrock has no model `" + id + "` in " + region(endpoint)
                        + "; `hydra model list` shows them"));
            case "ValidationException" ->
                new Failure(
                        HydraException.failed(
                                "bedrock refuses the question: " + said + "; change it, or choose another model", e),
                        null,
                        said.matches("(?i).*(doesn't|does not) support tool use.*"));
            case "ThrottlingException",
                    "ServiceQuotaExceededException",
                    "ModelNotReadyException",
                    "ServiceUnavailableException" ->
                new Failure(
                        HydraException.unavailable("bedrock is busy (" + said + "); ask again in a moment", e),
                        retryAfter(e));
            case "ModelTimeoutException",
                    "ModelErrorException",
                    "ModelStreamErrorException",
                    "InternalServerException" ->
                new Failure(HydraException.failed("the model failed: " + said + "; ask again", e), null);
            default ->
                status == 403 || status == 401
                        ? lasting(HydraException.unavailable(
                                "AWS does not accept the credentials (" + (said.isEmpty() ? code : said) + "); "
                                        + SIGN_IN,
                                e))
                        : status == 429 || status == 503
                                ? new Failure(
                                        HydraException.unavailable(
                                                "bedrock is busy (" + said + "); ask again in a moment", e),
                                        retryAfter(e))
                                : lasting(HydraException.failed(
                                        "bedrock failed: " + (said.isEmpty() ? "status " + status : said)
                                                + "; ask again",
                                        e));
        };
    }

    private static Failure lasting(HydraException error) {
        return new Failure(error, null);
    }

    private static Duration retryAfter(AwsServiceException e) {
        var details = e.awsErrorDetails();
        if (details == null || details.sdkHttpResponse() == null) {
            return BUSY_PAUSE;
        }
        return details.sdkHttpResponse()
                .firstMatchingHeader("Retry-After")
                .filter(h -> h.matches("[0-9]{1,4}"))
                .map(h -> Duration.ofSeconds(Long.parseLong(h)))
                .orElse(BUSY_PAUSE);
    }

    private software.amazon.awssdk.auth.credentials.AwsCredentials credentials(Endpoint endpoint) {
        try {
            return client(endpoint).credentials().resolveCredentials();
        } catch (SdkException e) {
            throw noCredentials(e);
        }
    }

    private static HydraException noCredentials(SdkException e) {
        var said = String.valueOf(e.getMessage());
        return HydraException.unavailable(
                (said.contains("SSO") || said.contains("expired")
                                ? "the AWS credentials have expired; "
                                : "there are no AWS credentials; ")
                        + SIGN_IN,
                e);
    }

    private Client client(Endpoint endpoint) {
        var profile = endpoint.get("AWS_PROFILE", "");
        return clients.computeIfAbsent(
                new Account(profile.isEmpty() ? null : profile, region(endpoint)), this::connect);
    }

    private Client connect(Account account) {
        var credentials = credentials(account);
        var runtime = BedrockRuntimeAsyncClient.builder()
                .region(Region.of(account.region()))
                .credentialsProvider(credentials)
                // A broken stream that is begun again would be said twice; we ask again where nothing was said.
                .overrideConfiguration(c -> c.retryStrategy(AwsRetryStrategy.doNotRetry()))
                .httpClientBuilder(NettyNioAsyncHttpClient.builder()
                        .protocol(Protocol.HTTP1_1)
                        .connectionTimeout(settings.connectionTimeout())
                        // How long a stream may keep silent is watched by whoever reads it.
                        .readTimeout(settings.firstTokenTimeout().plus(settings.gapTimeout())));
        if (settings.endpoint() != null) {
            runtime.endpointOverride(URI.create(settings.endpoint()));
        }
        return new Client(credentials, runtime.build());
    }

    private AwsCredentialsProvider credentials(Account account) {
        if (settings.accessKey() != null && settings.secretKey() != null) {
            return StaticCredentialsProvider.create(
                    settings.sessionToken() == null
                            ? AwsBasicCredentials.create(settings.accessKey(), settings.secretKey())
                            : AwsSessionCredentials.create(
                                    settings.accessKey(), settings.secretKey(), settings.sessionToken()));
        }
        return account.profile() == null
                ? DefaultCredentialsProvider.builder().build()
                : ProfileCredentialsProvider.create(account.profile());
    }

    private String region(Endpoint endpoint) {
        var asked = endpoint.get("AWS_REGION", settings.region() == null ? "" : settings.region());
        if (!asked.isEmpty()) {
            return asked;
        }
        try {
            var profile = endpoint.get("AWS_PROFILE", "");
            var chain = DefaultAwsRegionProviderChain.builder();
            if (!profile.isEmpty()) {
                chain.profileName(profile);
            }
            return chain.build().getRegion().id();
        } catch (SdkException e) {
            throw HydraException.unavailable("there is no AWS region; set AWS_REGION, or `region` in ~/.aws/config", e);
        }
    }

    private String where(Endpoint endpoint) {
        return settings.endpoint() != null
                ? settings.endpoint()
                : "https://bedrock-runtime." + region(endpoint) + ".amazonaws.com";
    }

    private ModelInfo info(Endpoint endpoint, String id, JsonNode arn, JsonNode node) {
        return new ModelInfo(
                new ModelRef(name(), id),
                0,
                node.path("providerName").asString(""),
                "",
                null,
                true,
                true,
                node.path("inputModalities")
                                .valueStream()
                                .anyMatch(m -> m.asString("").equals("IMAGE"))
                        ? List.of("vision")
                        : List.of(),
                "AWS " + region(endpoint),
                arn.asString(PROFILE.matcher(id).lookingAt() ? "" : arn(endpoint, id)),
                null);
    }

    /** Asks the control plane, for which no client of AWS's is needed: one signed request. */
    private JsonNode get(Endpoint endpoint, String path) {
        var base = settings.endpoint() != null
                ? settings.endpoint()
                : "https://bedrock." + region(endpoint) + ".amazonaws.com";
        var uri = URI.create(base + path);
        var plain = SdkHttpRequest.builder().method(SdkHttpMethod.GET).uri(uri).build();
        var signed = AwsV4HttpSigner.create()
                .sign(r -> r.identity(credentials(endpoint))
                        .request(plain)
                        .putProperty(AwsV4FamilyHttpSigner.SERVICE_SIGNING_NAME, "bedrock")
                        .putProperty(AwsV4HttpSigner.REGION_NAME, region(endpoint)));
        var request = HttpRequest.newBuilder(uri).timeout(LOOKUP);
        signed.request().forEachHeader((name, values) -> {
            if (!name.equalsIgnoreCase("Host")) {
                values.forEach(v -> request.header(name, v));
            }
        });
        try (var http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(settings.connectionTimeout())
                .build()) {
            var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            var node = JsonMapper.shared().readTree(response.body());
            if (response.statusCode() == 200 && node.isObject()) {
                return node;
            }
            throw HydraException.unavailable("bedrock does not list its models: "
                    + line(node.path("message").asString("status " + response.statusCode())) + "; " + SIGN_IN);
        } catch (IOException | JacksonException e) {
            throw HydraException.unavailable(
                    "bedrock does not answer at `" + base + "`; look at the network, or at AWS_REGION", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private static Throwable root(Throwable failure) {
        return failure.getCause() == null ? failure : root(failure.getCause());
    }

    /** Foreign text as a part of one line. */
    private static String line(@Nullable String text) {
        var plain =
                ForeignText.plain(String.valueOf(text)).replaceAll("\\s+", " ").strip();
        return plain.length() <= 200 ? plain : plain.substring(0, 199) + "…";
    }
}
