package dev.hydravisor.model;

import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Service;

/** All models of all providers. */
@Service
public class Models {
    private final List<Provider> providers;
    private final boolean offline;

    Models(List<Provider> providers, @Value("${model.offline:false}") boolean offline) {
        this.providers = List.copyOf(providers);
        this.offline = offline;
    }

    /**
     * What the providers offer.
     *
     * @param failures by provider, of those that did not answer
     */
    public record Listing(List<ModelInfo> models, Map<String, HydraException> failures) {}

    /** Asks every provider that is set up; one that fails takes nothing from the others. */
    public Listing list(Endpoint endpoint) {
        var models = new ArrayList<ModelInfo>();
        var failures = new LinkedHashMap<String, HydraException>();
        for (var provider : providers) {
            if (!provider.isSetUp(endpoint)) {
                continue;
            }
            try {
                models.addAll(provider.models(endpoint));
            } catch (HydraException e) {
                failures.put(provider.name(), e);
            }
        }
        return new Listing(List.copyOf(models), failures);
    }

    /**
     * One model, as its provider describes it now.
     *
     * @throws HydraException NOT_FOUND when it is not there, UNAVAILABLE when its provider does not answer, DENIED when it runs
     *     elsewhere and {@code model.offline} is set
     */
    public ModelInfo find(ModelRef ref, Endpoint endpoint) {
        var info = provider(ref).model(endpoint, ref.id());
        if (offline && info.remote()) {
            throw new HydraException(
                    dev.hydravisor.operation.ExitCode.DENIED,
                    "`" + ref + "` runs on " + info.where()
                            + ", not on this machine; choose another model or unset model.offline");
        }
        return info;
    }

    /** The provider of a model. */
    public Provider provider(ModelRef ref) {
        return providers.stream()
                .filter(p -> p.name().equals(ref.provider()))
                .findFirst()
                .orElseThrow(() -> HydraException.usage("there is no provider `" + ref.provider() + "`; there is "
                        + String.join(
                                ", ", providers.stream().map(Provider::name).toList())));
    }

    /** Whether models that run elsewhere are refused. */
    boolean offline() {
        return offline;
    }
}
