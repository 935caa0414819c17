package dev.hydravisor.model;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Service;

/** All models of all providers. */
@Service
public class Models {
    private final List<Provider> providers;
    private final boolean offline;
    private final Guard guard;

    Models(List<Provider> providers, @Value("${model.offline:false}") boolean offline, Guard guard) {
        this.providers = List.copyOf(providers);
        this.offline = offline;
        this.guard = guard;
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

    /**
     * Has a model loaded and lets it say one token, so that the next answer begins at once.
     *
     * @return how long that took
     * @throws HydraException as {@link #find}, or why it says nothing
     */
    public Duration warmUp(ModelRef ref, Endpoint endpoint) {
        find(ref, endpoint);
        var provider = provider(ref);
        var start = System.nanoTime();
        try {
            var chat = provider.chat(endpoint, ref.id());
            var options = chat.getOptions().mutate().maxTokens(1).build();
            Answer.read(chat.stream(new Prompt("hi", options)), provider.patience(), _ -> {});
            return Duration.ofNanos(System.nanoTime() - start);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (RuntimeException e) {
            throw provider.explain(e, endpoint, ref.id()).error();
        }
    }

    /**
     * A provider as it is now.
     *
     * @param access where it is reached and as whom; empty when that is not known
     * @param models how many it offers
     * @param millis how long it took to list them
     * @param problem what is wrong, with the remedy; null when nothing is
     */
    public record Reach(
            String provider,
            boolean setUp,
            String access,
            int models,
            long millis,
            @Nullable String problem) {}

    /** All providers; only with {@code ask} are they asked for anything. */
    public List<Reach> providers(Endpoint endpoint, boolean ask) {
        return providers.stream().map(p -> reach(p, endpoint, ask)).toList();
    }

    private static Reach reach(Provider provider, Endpoint endpoint, boolean ask) {
        var access = "";
        var start = System.nanoTime();
        var setUp = provider.isSetUp(endpoint);
        try {
            if (!setUp) {
                return new Reach(provider.name(), false, "", 0, 0, null);
            }
            access = provider.access(endpoint);
            start = System.nanoTime();
            var models = ask ? provider.models(endpoint).size() : 0;
            return new Reach(provider.name(), true, access, models, ask ? millis(start) : 0, null);
        } catch (HydraException e) {
            return new Reach(provider.name(), setUp, access, 0, millis(start), e.text());
        }
    }

    private static long millis(long start) {
        return (System.nanoTime() - start) / 1_000_000;
    }

    /** Downloads a model; errors as {@link Provider#pull}. */
    public void pull(Operation operation, ModelRef ref, Endpoint endpoint) {
        guard.act(action("pull", ref), () -> provider(ref).pull(operation, endpoint, ref.id()));
    }

    /** Deletes a downloaded model; errors as {@link Provider#remove}. */
    public void remove(ModelRef ref, Endpoint endpoint) {
        guard.act(action("rm", ref), () -> provider(ref).remove(endpoint, ref.id()));
    }

    /**
     * What is about to be done to a model, for the policy.
     *
     * @param verb such as {@code pull}
     */
    public static Action action(String verb, ModelRef ref) {
        return Action.of("model." + verb, ref.toString()).subject(ref.toString());
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
