package dev.hydravisor.model.ollama;

import dev.hydravisor.host.Check;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** Tells {@code hydra doctor} whether an Ollama answers, and which of its models run elsewhere. */
@Component
final class OllamaCheck implements Check {
    private final Ollama ollama;

    OllamaCheck(Ollama ollama) {
        this.ollama = ollama;
    }

    @Override
    public List<Finding> findings() {
        return findings(Endpoint.DEFAULT);
    }

    @Override
    public List<Finding> findings(Function<String, @Nullable String> environment) {
        return findings(Endpoint.of(environment));
    }

    private List<Finding> findings(Endpoint endpoint) {
        List<ModelInfo> models;
        try {
            models = ollama.models(endpoint);
        } catch (HydraException e) {
            var text = e.text();
            var remedy = text.lastIndexOf("; ");
            return List.of(Finding.warning(
                    "ollama",
                    remedy < 0 ? text : text.substring(0, remedy),
                    remedy < 0 ? "see ollama's log" : text.substring(remedy + 2)));
        }
        var findings = new ArrayList<Finding>();
        findings.add(
                models.isEmpty()
                        ? Finding.warning("ollama", "answers, but has no model", "get one with `ollama pull llama3.2`")
                        : Finding.ok("ollama", models.size() + (models.size() == 1 ? " model" : " models")));
        var remote = models.stream()
                .filter(ModelInfo::remote)
                .map(m -> "`" + m.model().id() + "`")
                .toList();
        if (!remote.isEmpty()) {
            findings.add(Finding.warning(
                    "ollama cloud",
                    String.join(", ", remote) + (remote.size() == 1 ? " runs" : " run")
                            + " on another machine: what is said leaves this one",
                    "set OLLAMA_NO_CLOUD=1 for `ollama serve`, or model.offline: true for hydra, to rule them out"));
        }
        return findings;
    }
}
