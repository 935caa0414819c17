package dev.hydravisor.policy;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.stereotype.Service;

/**
 * The rules of {@code $HYDRA_HOME/policy.yaml}, those an actor holds by itself, then those of the default {@code policy.yaml}.
 *
 * <p>A rule that denies wins over every other; of the rest the first that fits counts; what no rule fits is denied. The policy of the
 * folder a request comes from, {@code .hydra/policy.yaml}, can deny and ask besides. While a file cannot be read nothing is allowed.
 */
@Service
public class Policy {
    /** Where a project keeps its own, in its folder. */
    public static final String PROJECT = ".hydra/policy.yaml";

    private static final String DEFAULTS = "the default policy.yaml";
    private static final int MOST_REMEMBERED = 100;

    private final HydraHome home;
    private final ObjectProvider<Grants> grants;
    private final List<Rule> defaults = defaults();
    private final Map<Path, Read> read = new ConcurrentHashMap<>();

    public Policy(HydraHome home, ObjectProvider<Grants> grants) {
        this.home = home;
        this.grants = grants;
    }

    /** A file as it was read, and by what is seen whether it has changed since. */
    private record Read(Object key, boolean settled, PolicyFile.Parsed parsed) {}

    /**
     * Judges what a request is about to do.
     *
     * @throws HydraException DENIED when a file of rules is wrong; then nothing must be done
     */
    public Decision judge(Request request, Action action) {
        var actor = request.actor();
        var decision = decide(actor, action, rules(actor));
        return request.folder() == null ? decision : tightened(decision, actor, action, request.folder());
    }

    /** A file of rules, and what is wrong with it: each as {@code FILE:LINE: WHAT}. */
    public record Validated(String file, int rules, List<String> problems) {}

    /**
     * Reads a file of rules as it is now.
     *
     * @param project whether it is one of a project's own
     * @throws HydraException NOT_FOUND when there is none
     */
    public Validated validate(Path file, boolean project) {
        if (!Files.exists(file)) {
            throw HydraException.notFound("there is no file `" + PlainText.shorten(file.toString()) + "`");
        }
        var parsed = parsed(file, project);
        return new Validated(
                file.toString(),
                parsed.rules().size(),
                parsed.problems().stream()
                        .map(p -> file + ":" + p.line() + ": " + p.what())
                        .toList());
    }

    /** All rules in the order they are looked at, those of a folder's project first; of an actor alone where one is given. */
    public List<Rule> rules(@Nullable Actor actor, @Nullable Path folder) {
        var rules = new ArrayList<Rule>();
        if (folder != null) {
            rules.addAll(sound(folder.resolve(PROJECT), true));
        }
        if (actor == null) {
            rules.addAll(sound(users(), false));
            rules.addAll(defaults);
        } else {
            rules.addAll(rules(actor));
        }
        return rules.stream().filter(r -> actor == null || r.isOf(actor)).toList();
    }

    /** The rules that hold for an actor, in their order, without a project's. */
    private List<Rule> rules(Actor actor) {
        var rules = new ArrayList<>(sound(users(), false));
        grants.orderedStream().forEach(g -> rules.addAll(g.rules(actor)));
        rules.addAll(defaults);
        return rules;
    }

    private static Decision decide(Actor actor, Action action, List<Rule> rules) {
        Rule first = null;
        String nearly = null;
        for (var rule : rules) {
            if (rule.effect() != Effect.DENY && first != null) {
                continue;
            }
            if (rule.fits(actor, action)) {
                if (rule.effect() == Effect.DENY) {
                    return decision(rule);
                }
                first = rule;
            } else if (nearly == null && rule.effect() != Effect.DENY && rule.concerns(actor, action)) {
                nearly = rule.place() + " has " + rule.uncovered(action);
            }
        }
        return first != null
                ? decision(first)
                : new Decision(Effect.DENY, "no rule allows it" + (nearly == null ? "" : "; " + nearly), "");
    }

    private Decision tightened(Decision decision, Actor actor, Action action, Path folder) {
        var rules = sound(folder.resolve(PROJECT), true);
        return rules.stream()
                .filter(r -> r.fits(actor, action))
                .filter(r -> r.effect().compareTo(decision.effect()) > 0)
                .max((a, b) -> a.effect().compareTo(b.effect()))
                .map(Policy::decision)
                .orElse(decision);
    }

    private static Decision decision(Rule rule) {
        return new Decision(rule.effect(), rule.told(), rule.place());
    }

    /** The user's own file. */
    public Path users() {
        return home.root().resolve("policy.yaml");
    }

    private List<Rule> sound(Path file, boolean tightens) {
        var parsed = parsed(file, tightens);
        if (!parsed.problems().isEmpty()) {
            var first = parsed.problems().getFirst();
            throw HydraException.denied("`" + file + "` cannot be read: line " + first.line() + ": " + first.what()
                    + "; nothing is allowed until it is right");
        }
        return parsed.rules();
    }

    /** Reads a file, where it has changed since; none is one without rules. */
    private PolicyFile.Parsed parsed(Path file, boolean tightens) {
        try {
            var attributes = Files.readAttributes(file, BasicFileAttributes.class);
            var key = List.of(
                    attributes.lastModifiedTime(),
                    attributes.size(),
                    Objects.requireNonNullElse(attributes.fileKey(), ""));
            var known = read.get(file);
            if (known != null && known.settled() && known.key().equals(key)) {
                return known.parsed();
            }
            if (!attributes.isRegularFile()) {
                return wrong("it is no file");
            }
            if (attributes.size() > PolicyFile.LONGEST) {
                return wrong("it has more than " + (PolicyFile.LONGEST >> 20) + " MiB");
            }
            // Within the same tick of the clock it may be written again without a trace.
            var settled =
                    System.currentTimeMillis() - attributes.lastModifiedTime().toMillis() > 1000;
            var parsed = PolicyFile.parse(file.toString(), new String(bytes(file), StandardCharsets.UTF_8), tightens);
            if (read.size() >= MOST_REMEMBERED) {
                read.clear();
            }
            read.put(file, new Read(key, settled, parsed));
            return parsed;
        } catch (NoSuchFileException e) {
            return new PolicyFile.Parsed(List.of(), List.of());
        } catch (IOException e) {
            return wrong(e.toString());
        }
    }

    /** No more than allowed, whatever it grew to. */
    private static byte[] bytes(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            return in.readNBytes(PolicyFile.LONGEST + 1);
        }
    }

    private static PolicyFile.Parsed wrong(String what) {
        return new PolicyFile.Parsed(List.of(), List.of(new PolicyFile.Problem(1, PlainText.safe(what))));
    }

    private static List<Rule> defaults() {
        try (var in = Objects.requireNonNull(Policy.class.getResourceAsStream("/policy.yaml"))) {
            var parsed = PolicyFile.parse(DEFAULTS, new String(in.readAllBytes(), StandardCharsets.UTF_8), false);
            if (!parsed.problems().isEmpty()) {
                throw new IllegalStateException(DEFAULTS + ": " + parsed.problems());
            }
            return parsed.rules();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
