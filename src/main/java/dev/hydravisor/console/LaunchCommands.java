package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.launch.LaunchClient;
import dev.hydravisor.launch.LaunchProperties;
import dev.hydravisor.launch.LaunchService;
import dev.hydravisor.launch.LaunchService.Status;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code launch …}: the endpoint by which others launch here, and the client of another's. */
@Component
class LaunchCommands implements Commands {
    private static final Table<Status> STATUS = Table.named("STATE", Status::state)
            .column("URL", s -> Objects.requireNonNullElse(s.url(), ""))
            .column("FINGERPRINT", s -> Objects.requireNonNullElse(s.fingerprint(), ""))
            .column("TROUBLE", s -> Objects.requireNonNullElse(s.trouble(), ""))
            .column("CONNECTIONS", s -> s.connections() + " of " + s.limits().connections())
            .column(
                    "TOKENS",
                    s -> s.tokens() + ", each with at most " + s.limits().connectionsPerToken() + " connections")
            .column("SUBSCRIBERS", s -> "" + s.subscribers())
            .column(
                    "OPERATIONS",
                    s -> s.operations() + ", at most " + s.limits().operations() + " a token")
            .column("HANDSHAKES", s -> "at most " + s.limits().handshakes() + " an address")
            .column(
                    "MESSAGES",
                    s -> "at most " + s.limits().messages() + " a token, of "
                            + s.limits().messageSize() + " and " + s.limits().nesting() + " deep")
            .column("LAUNCHES", s -> "at most " + s.limits().launches() + " a token")
            .column(
                    "IDLE",
                    s -> "at most " + s.limits().idle() + " s; pinged every "
                            + s.limits().ping() + " s")
            .column(
                    "QUEUE",
                    s -> "at most " + s.limits().queue() + " messages, "
                            + PlainText.bytes(s.limits().queueSize()))
            .column(
                    "COUNTS",
                    s -> s.counts().entrySet().stream()
                            .map(e -> e.getKey() + " " + e.getValue())
                            .collect(Collectors.joining(", ")));

    private final LaunchService launch;
    private final LaunchProperties.Client client;

    LaunchCommands(LaunchService launch, LaunchProperties settings) {
        this.launch = launch;
        this.client = settings.client();
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("launch enable", "open the endpoint by which tokens launch instances here")
                        .dryRun()
                        .output()
                        .details("""
                                It stays open over restarts of the daemon. It listens where `launch.address` and `launch.port` of config.yaml say, \
                                127.0.0.1:7620 unless changed; any address that others can reach needs TLS.
                                """)
                        .example("hydra launch enable")
                        .judged(_ -> List.of(Action.of("launch.enable", "")))
                        .runs(in -> {
                            if (in.dryRun()) {
                                in.out().println("open the launch endpoint, now and whenever the daemon starts");
                            } else {
                                in.print(launch.enable(), STATUS);
                            }
                        }),
                HydraCommand.named("launch disable", "close the endpoint and end its connections")
                        .dryRun()
                        .output()
                        .details("What was launched goes on.")
                        .example("hydra launch disable")
                        .judged(_ -> List.of(Action.of("launch.disable", "")))
                        .runs(in -> {
                            if (in.dryRun()) {
                                in.out().println("close the launch endpoint and end its connections");
                                return;
                            }
                            in.print(launch.disable(), STATUS);
                            if (launch.configured()) {
                                in.err()
                                        .println(
                                                "note: `launch.enabled` of config.yaml opens it again when the daemon starts");
                            }
                        }),
                HydraCommand.named("launch status", "say whether the endpoint is open, who is there, and its limits")
                        .output()
                        .example("hydra launch status")
                        .runs(in -> in.print(launch.status(), STATUS)),
                HydraCommand.named(
                                "launch send", "send a message to another host's endpoint, and print what comes of it")
                        .argument("FILE", "a JSON file with the message, or - for standard input", Values.files())
                        .option("url", "URL", "the endpoint, such as wss://host:7620/launch", Values.any())
                        .option("token-file", "FILE", "a file with the token's secret", Values.files())
                        .option(
                                "fingerprint",
                                "SHA256",
                                "trust the certificate with this fingerprint alone",
                                Values.any())
                        .option(
                                "key",
                                "KEY",
                                "the idempotency key, if the message has none; any unless given",
                                Values.any())
                        .option("retry", "SECONDS", "how long a cut connection is tried again", Values.any(), "60")
                        .dryRun()
                        .output()
                        .details("""
                                The message is one of docs/launch-api.md; `id`, `type` (launch) and `key` may be left out. A launch that is cut \
                                off goes on where it was; sent again under its key it is not run again. The token comes from the file, or from \
                                HYDRA_TOKEN; the URL also from HYDRA_LAUNCH_URL or `launch.client.url` of config.yaml. Ends with 0 when it is \
                                done, 2 for a wrong message, 3 for what is not there, 4 for a conflict, 5 when the other host cannot, 6 when the \
                                token may not.
                                """)
                        .example("hydra launch send web.json --url wss://build-host:7620 --token-file ~/.hydra-token")
                        .runs(this::send));
    }

    private void send(Invocation in) {
        var message = message(in);
        var url = first(in.option("url"), in.session().environment("HYDRA_LAUNCH_URL"), client.url());
        if (url == null) {
            throw HydraException.usage("`--url` is missing; give it, or set HYDRA_LAUNCH_URL");
        }
        var shown = new ShownMessages(in);
        if (in.dryRun()) {
            in.out().println("send to " + PlainText.safe(url) + ": " + ShownMessages.safeJson(message));
            return;
        }
        try (var sender = new LaunchClient(
                url,
                token(in),
                first(in.option("fingerprint"), null, client.fingerprint()),
                Duration.ofSeconds(in.number("retry", 0, 86_400)))) {
            var last = sender.send(message, shown::show);
            in.exit(shown.end(last).status());
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.INTERRUPTED && message.has("key")) {
                in.err()
                        .println("note: the launch goes on; `--key "
                                + message.get("key").asString() + "` shows how, and a `cancel` of this key ends it");
            }
            throw e;
        }
    }

    private static @Nullable String first(@Nullable String option, @Nullable String environment, String configured) {
        return option != null
                ? option
                : environment != null && !environment.isBlank()
                        ? environment
                        : configured.isEmpty() ? null : configured;
    }

    private ObjectNode message(Invocation in) {
        var file = in.argument("FILE");
        try {
            var text = file.equals("-")
                    ? new String(in.session().in().readAllBytes(), StandardCharsets.UTF_8)
                    : Files.readString(in.session().path(file));
            if (!(JsonMapper.shared().readTree(text) instanceof ObjectNode message)) {
                throw HydraException.usage(
                        "`" + PlainText.shorten(file) + "` holds no JSON object; see docs/launch-api.md");
            }
            if (!message.has("id")) {
                message.put("id", "1");
            }
            if (!message.has("type")) {
                message.put("type", "launch");
            }
            if (message.get("type").asString("").equals("launch") && !message.has("key")) {
                var key = in.option("key");
                message.put("key", key == null ? UUID.randomUUID().toString() : key);
            }
            return message;
        } catch (NoSuchFileException e) {
            throw HydraException.notFound("there is no file `" + PlainText.shorten(file) + "`");
        } catch (IOException e) {
            throw HydraException.failed("cannot read `" + PlainText.shorten(file) + "`: " + e.getMessage());
        } catch (JacksonException e) {
            throw HydraException.usage("`" + PlainText.shorten(file) + "` is no JSON: line "
                    + e.getLocation().getLineNr() + ", column "
                    + e.getLocation().getColumnNr());
        }
    }

    /** Never from the arguments: those are everybody's to see. */
    private String token(Invocation in) {
        var file = first(in.option("token-file"), null, client.tokenFile());
        var token = in.session().environment("HYDRA_TOKEN");
        if (file != null) {
            try {
                token = Files.readString(in.session().path(file)).strip();
            } catch (IOException e) {
                throw HydraException.notFound("cannot read the token's file `" + PlainText.shorten(file) + "`");
            }
        }
        if (token == null || token.isBlank()) {
            throw HydraException.usage("there is no token; set HYDRA_TOKEN, or give `--token-file`");
        }
        if (!token.matches("[A-Za-z0-9_-]{1,200}")) {
            throw HydraException.usage("this is no token; `hydra token create` on the other host prints one");
        }
        return token;
    }
}
