package dev.hydravisor.console;

import dev.hydravisor.agent.AgentService;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.model.Dialog;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.Dialogs;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/** {@code hydra model …} for models by themselves, and {@code hydra provider …}. */
@Component
final class ModelCommands implements Commands {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss-SSS");
    private static final Table<ModelInfo> TABLE = Table.<ModelInfo>named(
                    "MODEL", m -> m.model().toString())
            .column("SIZE", m -> m.size() == 0 ? "" : PlainText.bytes(m.size()))
            .column("PARAMETERS", ModelInfo::parameters)
            .column("CONTEXT", m -> m.context() == null ? "" : m.context().toString())
            .column(
                    "ABILITIES",
                    m -> m.abilities().stream()
                            .filter(a -> !a.equals("completion"))
                            .collect(Collectors.joining(",")))
            .column("LOADED", m -> m.loaded() ? "yes" : "no")
            .column("WHERE", ModelInfo::where)
            .column("BASE", m -> m.base() == null ? "" : m.base().toString());

    private static final Table<ModelInfo> SHOW = Table.<ModelInfo>named(
                    "MODEL", m -> m.model().toString())
            .column("FAMILY", ModelInfo::family)
            .column("PARAMETERS", ModelInfo::parameters)
            .column("CONTEXT", m -> m.context() == null ? "" : m.context() + " tokens")
            .column("ABILITIES", m -> String.join(", ", m.abilities()))
            .column("LOADED", m -> m.loaded() ? "yes" : "no")
            .column("WHERE", ModelInfo::where)
            .column("IDENTITY", ModelInfo::identity)
            .column("BASE", m -> m.base() == null ? "" : m.base().toString());
    private static final Table<Models.Reach> PROVIDERS = Table.<Models.Reach>named("PROVIDER", Models.Reach::provider)
            .column("SET UP", r -> r.setUp() ? "yes" : "no")
            .column("ACCESS", Models.Reach::access)
            .column("MODELS", r -> r.models() == 0 ? "" : "" + r.models())
            .column("TIME", r -> r.millis() == 0 ? "" : r.millis() + " ms")
            .column("PROBLEM", r -> Objects.requireNonNullElse(r.problem(), ""));

    private final Models models;
    private final Dialogs dialogs;
    private final @Nullable AgentService agents;
    private final Values modelNames;
    private final Values instanceNames;

    @Autowired
    ModelCommands(Models models, Dialogs dialogs, AgentService agents, Names names) {
        this(models, dialogs, agents, names.models(), names.instances());
    }

    ModelCommands(
            Models models, Dialogs dialogs, @Nullable AgentService agents, Values modelNames, Values instanceNames) {
        this.agents = agents;
        this.models = models;
        this.dialogs = dialogs;
        this.modelNames = modelNames;
        this.instanceNames = instanceNames;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("model list", "list the models in reach")
                        .details("""
                                Where a model runs on another machine, what is said to it leaves this one; WHERE names that machine.
                                OLLAMA_HOST says which Ollama is asked. The presets of config.yaml stand at the end, each with its BASE.
                                """)
                        .output()
                        .filter()
                        .example("hydra model list --filter loaded=true")
                        .runs(this::list),
                HydraCommand.named("model show", "show one model: context, abilities, whether it is loaded")
                        .argument("MODEL", "the model, such as ollama:llama3.2", modelNames)
                        .output()
                        .example("hydra model show ollama:llama3.2")
                        .runs(in -> in.print(
                                models.find(models.named(in.argument("MODEL")), endpoint(in.session())), SHOW)),
                HydraCommand.named("model pull", "download a model; one that broke off goes on where it was")
                        .argument("MODEL", "the model, such as ollama:llama3.2", Values.any())
                        .dryRun()
                        .example("hydra model pull ollama:llama3.2")
                        .judged(in -> List.of(Models.action("pull", ModelRef.parse(in.argument("MODEL")))))
                        .runs(this::pull),
                HydraCommand.named("model rm", "delete a downloaded model")
                        .argument("MODEL", "the model, such as ollama:llama3.2", modelNames)
                        .dryRun()
                        .example("hydra model rm ollama:llama3.2")
                        .judged(in -> List.of(Models.action("rm", ModelRef.parse(in.argument("MODEL")))))
                        .runs(this::remove),
                HydraCommand.named("model default", "show or choose the model that answers where none is named")
                        .optionalArgument("MODEL", "the model or preset that shall answer", modelNames)
                        .flag("none", "let no model be the default")
                        .dryRun()
                        .example("hydra model default ollama:llama3.2")
                        .judged(in -> in.argumentOrNull("MODEL") == null && !in.flag("none")
                                ? List.of()
                                : List.of(
                                        Models.preferring(in.flag("none") ? null : models.named(in.argument("MODEL")))))
                        .runs(this::preferred),
                HydraCommand.named("model ask", "ask a model one question, for scripts")
                        .argument("QUESTION", "the question; - reads it from standard input", Values.any())
                        .option("model", "MODEL", "who answers; otherwise the default model", modelNames)
                        .option("system", "TEXT", "how to answer", Values.any())
                        .output()
                        .details(
                                "The answer goes to standard output as it comes; with -o json, whole and with its tokens and times.")
                        .example("hydra model ask --model ollama:llama3.2 'what is a linked clone?'")
                        .example("git diff | hydra model ask --model ollama:llama3.2 -")
                        .runs(this::ask),
                HydraCommand.named("provider list", "list the providers, and how each is reached")
                        .output()
                        .filter()
                        .example("hydra provider list")
                        .runs(in -> in.print(models.providers(endpoint(in.session()), false), PROVIDERS)),
                HydraCommand.named(
                                "provider test", "ask each provider that is set up for its models, and take the time")
                        .output()
                        .example("hydra provider test")
                        .runs(this::test),
                HydraCommand.named("model chat", "talk with a model")
                        .optionalArgument(
                                "MODEL",
                                "the model or preset; otherwise the one that answered last in the dialog, else the default",
                                modelNames)
                        .option("workspace", "NAME", "the dialog of this workspace", instanceNames)
                        .option(
                                "dialog",
                                "ID",
                                "the dialog of this name, begun now or before; otherwise a new one",
                                Values.any())
                        .details("""
                                Enter sends, Ctrl-C stops the answer, Ctrl-D leaves; /help tells the rest. What was said is kept, and shown
                                when the dialog is opened again.

                                Where standard input is no terminal each line is a question, and the answers go to standard output.
                                """)
                        .example("hydra model chat ollama:llama3.2")
                        .example("echo 'what is a linked clone?' | hydra model chat ollama:llama3.2")
                        .runs(this::chat));
    }

    private void list(Invocation in) {
        var listing = models.list(endpoint(in.session()));
        if (listing.models().stream().allMatch(m -> m.base() != null)
                && !listing.failures().isEmpty()) {
            throw listing.failures().values().iterator().next();
        }
        in.print(listing.models(), TABLE);
        listing.failures().values().forEach(e -> in.err().println("note: " + PlainText.safe(e.text())));
    }

    private void pull(Invocation in) {
        var ref = ModelRef.parse(in.argument("MODEL"));
        if (in.dryRun()) {
            in.out().println("download `" + ref + "`");
            return;
        }
        models.pull(in.operation(), ref, endpoint(in.session()));
        in.out().println(ref);
    }

    private void remove(Invocation in) {
        var ref = ModelRef.parse(in.argument("MODEL"));
        if (in.dryRun()) {
            in.out().println("delete `" + ref + "`");
            return;
        }
        models.remove(ref, endpoint(in.session()));
        in.out().println(ref);
    }

    private void preferred(Invocation in) {
        var typed = in.argumentOrNull("MODEL");
        if (typed != null && in.flag("none")) {
            throw HydraException.usage("--none and a model exclude each other; give one of them");
        }
        if (typed == null && !in.flag("none")) {
            in.out().println(named(models, null));
            return;
        }
        var ref = typed == null ? null : models.named(typed);
        if (ref != null) {
            models.find(ref, endpoint(in.session()));
        }
        if (in.dryRun()) {
            in.out().println(ref == null ? "let no model be the default" : "let `" + ref + "` be the default");
            return;
        }
        models.prefer(ref);
        if (ref != null) {
            in.out().println(ref);
        }
    }

    /** The model that was typed, else the default. */
    static ModelRef named(Models models, @Nullable String typed) {
        return typed != null
                ? models.named(typed)
                : models.preferred()
                        .orElseThrow(
                                () -> HydraException.usage(
                                        "say which model; `hydra model list` shows them, `hydra model default MODEL` spares naming it"));
    }

    private void test(Invocation in) {
        var reached = models.providers(endpoint(in.session()), true);
        in.print(reached, PROVIDERS);
        if (reached.stream().anyMatch(r -> r.problem() != null)) {
            in.exit(ExitCode.UNAVAILABLE.status());
        }
    }

    /** An answer for a program. */
    private record Asked(
            String model,
            @Nullable String preset,
            @Nullable String identity,
            String answer,
            String finish,
            long questionTokens,
            long answerTokens,
            long firstTokenMillis,
            long millis,
            double costDollars) {}

    private static final Table<Asked> ASKED =
            Table.<Asked>named("MODEL", Asked::model).column("ANSWER", Asked::answer);

    private void ask(Invocation in) throws IOException {
        var question = in.argument("QUESTION");
        if (question.equals("-")) {
            question = new String(in.session().in().readAllBytes(), StandardCharsets.UTF_8);
        }
        var dialog =
                dialogs.open("ask-" + UUID.randomUUID(), named(models, in.option("model")), endpoint(in.session()));
        try {
            ask(in, dialog, question);
        } finally {
            dialog.clear();
        }
    }

    private static void ask(Invocation in, Dialog dialog, String question) {
        if (in.option("system") != null) {
            dialog.instruct(in.requiredOption("system"));
        }
        var live = in.requiredOption("output").equals("table");
        var answer = dialog.say(question, new Dialog.Listener() {
            @Override
            public void token(String text) {
                if (live) {
                    in.out().print(text);
                    in.out().flush();
                }
            }

            @Override
            public void notice(String line) {
                in.err().println("note: " + PlainText.safe(line));
            }
        });
        if (live) {
            in.out().println();
            return;
        }
        var usage = dialog.usage();
        in.print(
                new Asked(
                        String.valueOf(answer.model()),
                        answer.preset(),
                        answer.identity(),
                        answer.content(),
                        answer.finish().name().toLowerCase(Locale.ROOT),
                        usage.questionTokens(),
                        usage.answerTokens(),
                        usage.firstToken().toMillis(),
                        usage.whole().toMillis(),
                        usage.cost()),
                ASKED);
    }

    private void chat(Invocation in) {
        var workspace = in.option("workspace");
        var named = in.option("dialog");
        if (workspace != null && named != null) {
            throw HydraException.usage("--workspace and --dialog exclude each other; give one of them");
        }
        var fresh = workspace == null && named == null;
        var id = workspace != null
                ? workspace
                : named != null ? named : "chat-" + STAMP.format(LocalDateTime.now(java.time.ZoneOffset.UTC));
        var endpoint = endpoint(in.session());
        var dialog = dialogs.open(id, model(in.argumentOrNull("MODEL"), id), endpoint);
        var status = new DialogView(
                        in.session(), models, endpoint, dialog, new DialogView.Workspace(agents, workspace), fresh)
                .run();
        if (status.status() != 0) {
            in.exit(status.status());
        }
    }

    private ModelRef model(@Nullable String typed, String id) {
        if (typed != null) {
            return models.named(typed);
        }
        return dialogs.history(id).reversed().stream()
                .map(DialogTurn::named)
                .filter(Objects::nonNull)
                .findFirst()
                .orElseGet(() -> named(models, null));
    }

    static Endpoint endpoint(Session session) {
        return Endpoint.of(session::environment);
    }
}
