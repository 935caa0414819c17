package dev.hydravisor.model;

import dev.hydravisor.inventory.SettingRow;
import dev.hydravisor.inventory.Settings;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Service;

/** All models of all providers, and the presets made of them. */
@Service
@EnableConfigurationProperties(ModelSettings.class)
public class Models {
    private static final String DEFAULT = "default-model";
    private static final Duration SOON = Duration.ofSeconds(1);

    private final List<Provider> providers;
    private final ModelSettings settings;
    private final Settings chosen;
    private final Guard guard;

    Models(List<Provider> providers, ModelSettings settings, Settings chosen, Guard guard) {
        this.providers = List.copyOf(providers);
        this.settings = settings;
        this.chosen = chosen;
        this.guard = guard;
    }

    /**
     * What a name stands for.
     *
     * @param model the model itself, of a provider
     * @param system how it is told to answer; empty for nothing
     */
    record Target(ModelRef model, Provider provider, Parameters parameters, String system) {}

    /** @throws HydraException NOT_FOUND for a preset that is not there, USAGE for a provider */
    Target target(ModelRef ref) {
        if (!ref.provider().equals(ModelRef.PRESET)) {
            return new Target(ref, provider(ref), Parameters.NONE, "");
        }
        var preset = settings.presets().stream()
                .filter(p -> ref.id().equals(p.name()))
                .findFirst()
                .orElseThrow(() -> HydraException.notFound("there is no preset `" + ref.id()
                        + "`; `model.presets` in config.yaml says which there are, read when hydra's daemon starts"));
        var model = base(preset);
        return new Target(
                model,
                provider(model),
                preset.parameters(),
                Objects.requireNonNullElse(preset.system(), "").strip());
    }

    private static ModelRef base(ModelSettings.Preset preset) {
        var model = ModelRef.parse(Objects.requireNonNullElse(preset.model(), ""));
        if (model.provider().equals(ModelRef.PRESET)) {
            throw HydraException.usage(
                    "the preset `" + preset.name() + "` is of another preset; name a model in config.yaml");
        }
        return model;
    }

    /** The model itself that a name stands for; a preset that is not there stands for itself. */
    ModelRef base(ModelRef ref) {
        try {
            return target(ref).model();
        } catch (HydraException e) {
            return ref;
        }
    }

    /** As {@link #identity}; null where that cannot be known, or not soon. */
    @Nullable
    String identityIfSoon(ModelRef ref, Endpoint endpoint) {
        var known = CompletableFuture.supplyAsync(
                        () -> identity(ref, endpoint),
                        task -> Thread.ofVirtual().name("model identity").start(task))
                .completeOnTimeout("", SOON.toMillis(), TimeUnit.MILLISECONDS)
                .exceptionally(_ -> "")
                .join();
        return known.isEmpty() ? null : known;
    }

    /**
     * The model that a user names: a preset by its bare name too.
     *
     * @throws HydraException USAGE when it is no model's name, NOT_FOUND when it is a preset's and there is none
     */
    public ModelRef named(String typed) {
        var preset = settings.presets().stream().anyMatch(p -> typed.equals(p.name()));
        var ref = preset ? new ModelRef(ModelRef.PRESET, typed) : ModelRef.parse(typed);
        return ref.provider().equals(ModelRef.PRESET) ? requireTarget(ref) : ref;
    }

    private ModelRef requireTarget(ModelRef preset) {
        target(preset);
        return preset;
    }

    /** The model that answers where none is named; empty where the user chose none. */
    public Optional<ModelRef> preferred() {
        return chosen.findById(DEFAULT).map(r -> ModelRef.parse(r.chosen()));
    }

    /** Lets this model answer where none is named; null for none. */
    public void prefer(@Nullable ModelRef ref) {
        guard.act(preferring(ref), () -> {
            if (ref == null) {
                chosen.deleteById(DEFAULT);
            } else {
                chosen.save(new SettingRow(DEFAULT, ref.toString()));
            }
        });
    }

    /** What {@link #prefer} is about to do, for the policy. */
    public static Action preferring(@Nullable ModelRef ref) {
        return Action.of("model.default", ref == null ? "" : ref.toString());
    }

    /** US dollars for so many tokens; 0 where the price is not known. */
    double cost(ModelRef ref, long sent, long said) {
        var model = target(ref).model();
        return settings.prices().stream()
                .filter(p -> p.isOf(model))
                .findFirst()
                .map(p -> (p.input() * sent + p.output() * said) / 1e6)
                .orElse(0.0);
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
        settings.presets().forEach(p -> models.add(preset(p, List.copyOf(models))));
        return new Listing(List.copyOf(models), failures);
    }

    /** As its model is listed; of one that is not, no more than the name is known. */
    private static ModelInfo preset(ModelSettings.Preset preset, List<ModelInfo> listed) {
        var ref = new ModelRef(ModelRef.PRESET, String.valueOf(preset.name()));
        var base = base(preset);
        return listed.stream()
                .filter(m -> m.model().equals(base) || m.model().toString().equals(base + ":latest"))
                .findFirst()
                .orElse(new ModelInfo(base, 0, "", "", null, false, false, List.of(), "", "", null))
                .as(ref);
    }

    /**
     * One model, as its provider describes it now.
     *
     * @throws HydraException NOT_FOUND when it is not there, UNAVAILABLE when its provider does not answer, DENIED when it runs
     *     elsewhere and {@code model.offline} is set
     */
    public ModelInfo find(ModelRef ref, Endpoint endpoint) {
        var target = target(ref);
        var info = target.provider().model(endpoint, target.model().id());
        if (offline() && info.remote()) {
            throw new HydraException(
                    ExitCode.DENIED,
                    "`" + ref + "` runs on " + info.where()
                            + ", not on this machine; choose another model or unset model.offline");
        }
        return target.model().equals(ref) ? info : info.as(ref);
    }

    /** What exactly answers under this name now, a preset's model for a preset; errors as {@link Provider#identity}. */
    public String identity(ModelRef ref, Endpoint endpoint) {
        var target = target(ref);
        return target.provider().identity(endpoint, target.model().id());
    }

    /**
     * Has a model loaded and lets it say one token, so that the next answer begins at once.
     *
     * @return how long that took
     * @throws HydraException as {@link #find}, or why it says nothing
     */
    public Duration warmUp(ModelRef ref, Endpoint endpoint) {
        find(ref, endpoint);
        var target = target(ref);
        var provider = target.provider();
        var id = target.model().id();
        var start = System.nanoTime();
        try {
            var chat = provider.chat(endpoint, id, target.parameters());
            var options = chat.getOptions().mutate().maxTokens(1).build();
            Answer.read(chat.stream(new Prompt("hi", options)), provider.patience(), _ -> {});
            return Duration.ofNanos(System.nanoTime() - start);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (RuntimeException e) {
            throw provider.explain(e, endpoint, id).error();
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

    /**
     * The provider of a model.
     *
     * @throws HydraException USAGE for a preset, which has none
     */
    public Provider provider(ModelRef ref) {
        if (ref.provider().equals(ModelRef.PRESET)) {
            throw HydraException.usage(
                    "`" + ref + "` is a preset of `" + target(ref).model() + "`; name that one");
        }
        return providers.stream()
                .filter(p -> p.name().equals(ref.provider()))
                .findFirst()
                .orElseThrow(() -> HydraException.usage("there is no provider `" + ref.provider() + "`; there is "
                        + String.join(
                                ", ", providers.stream().map(Provider::name).toList())));
    }

    /** Whether models that run elsewhere are refused. */
    boolean offline() {
        return settings.offline();
    }
}
