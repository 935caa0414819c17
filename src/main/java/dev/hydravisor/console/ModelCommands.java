package dev.hydravisor.console;

import dev.hydravisor.agent.AgentService;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.Dialogs;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/** {@code hydra model list} and {@code hydra model chat}. */
@Component
final class ModelCommands implements Commands {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss-SSS");
    private static final Table<ModelInfo> TABLE = Table.<ModelInfo>named(
                    "MODEL", m -> m.model().toString())
            .column("SIZE", m -> m.size() == 0 ? "" : PlainText.bytes(m.size()))
            .column("PARAMETERS", ModelInfo::parameters)
            .column("LOADED", m -> m.loaded() ? "yes" : "no")
            .column("WHERE", ModelInfo::where);

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
                                OLLAMA_HOST says which Ollama is asked.
                                """)
                        .output()
                        .filter()
                        .example("hydra model list --filter loaded=true")
                        .runs(this::list),
                HydraCommand.named("model chat", "talk with a model")
                        .optionalArgument(
                                "MODEL",
                                "the model, such as ollama:llama3.2; otherwise the one that answered last in the dialog",
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
        if (listing.models().isEmpty() && !listing.failures().isEmpty()) {
            throw listing.failures().values().iterator().next();
        }
        in.print(listing.models(), TABLE);
        listing.failures().values().forEach(e -> in.err().println("note: " + PlainText.safe(e.text())));
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
            return ModelRef.parse(typed);
        }
        return dialogs.history(id).reversed().stream()
                .map(DialogTurn::model)
                .filter(Objects::nonNull)
                .findFirst()
                .orElseThrow(() -> HydraException.usage(
                        "say which model: `hydra model chat MODEL`; `hydra model list` shows them"));
    }

    static Endpoint endpoint(Session session) {
        return Endpoint.of(session::environment);
    }
}
