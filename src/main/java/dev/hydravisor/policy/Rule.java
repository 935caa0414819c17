package dev.hydravisor.policy;

import com.google.re2j.Pattern;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Actor;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A rule. Null in any of its conditions is what a file leaves out.
 *
 * <p>To allow or ask a rule must cover all that an action asks for: what reaches this host (its files, its network, its ports) only where
 * the rule names it. To deny it need meet a part: any command that holds the pattern, any one mount, any limit that is passed.
 *
 * @param source what holds it, for a person: a file, a token
 * @param line of the file, from 1; 0 where there is none
 * @param pattern RE2 of the subject
 * @param maxMemory in MiB
 * @param maxDisk in GiB
 * @param reason what is told where it denies
 */
public record Rule(
        String source,
        int line,
        Effect effect,
        @Nullable List<Glob> who,
        @Nullable List<Glob> actions,
        @Nullable List<Glob> instances,
        @Nullable List<Glob> images,
        @Nullable Pattern pattern,
        @Nullable Double maxCpus,
        @Nullable Long maxMemory,
        @Nullable Long maxDisk,
        @Nullable List<Glob> networks,
        @Nullable List<Glob> mounts,
        @Nullable List<Ports> ports,
        @Nullable String reason) {

    /**
     * A rule that allows, of another source than a file.
     *
     * @param actions names, with {@code *} for any characters
     * @param images as {@code actions}; null for all that need nothing of this host
     * @param maxMemory in MiB
     */
    public static Rule allow(
            String source,
            List<String> actions,
            @Nullable List<String> images,
            @Nullable Double maxCpus,
            @Nullable Long maxMemory) {
        return new Rule(
                source,
                0,
                Effect.ALLOW,
                null,
                actions.stream().map(Glob::of).toList(),
                null,
                images == null ? null : images.stream().map(Glob::of).toList(),
                null,
                maxCpus,
                maxMemory,
                null,
                null,
                null,
                null,
                null);
    }

    /** Where it stands: {@code FILE:LINE}. */
    public String place() {
        return line == 0 ? source : source + ":" + line;
    }

    /** Whether it is about this actor. */
    boolean isOf(Actor actor) {
        return named(who, actor.toString());
    }

    /** Whether it is about this at all. */
    boolean concerns(Actor actor, Action action) {
        return isOf(actor) && named(actions, action.name());
    }

    boolean fits(Actor actor, Action action) {
        return concerns(actor, action) && (effect == Effect.DENY ? meets(action) : uncovered(action) == null);
    }

    /** What of an action this rule does not cover, for a person; null when it covers all. */
    @Nullable
    String uncovered(Action action) {
        if (!named(instances, instance(action))) {
            return "instances: " + instances;
        }
        if (images == null
                ? action.image().stream().anyMatch(Rule::reachesOut)
                : images(action).noneMatch(i -> names(i).stream().allMatch(n -> named(images, n)))) {
            return images == null ? "an image by its path or URL must be named by `images`" : "images: " + images;
        }
        if (pattern != null && (action.subject() == null || !pattern.matches(action.subject()))) {
            return "pattern: " + PlainText.shorten(pattern.pattern());
        }
        var passed = passed(action);
        if (passed != null) {
            return passed;
        }
        for (var network : action.networks()) {
            if (networks == null ? network.equals("host") : !named(networks, network)) {
                return networks == null
                        ? "the host's own network must be named by `networks`"
                        : "networks: " + networks;
            }
        }
        for (var mount : action.mounts()) {
            if (mounts == null || !paths(mount).stream().allMatch(p -> named(mounts, p))) {
                return mounts == null ? "a mount must be named by `mounts`" : "mounts: " + mounts;
            }
        }
        for (var port : action.ports()) {
            if (ports == null || ports.stream().noneMatch(p -> p.matches(port))) {
                return ports == null ? "a published port must be named by `ports`" : "ports: " + ports;
            }
        }
        return null;
    }

    /** Whether a part of an action is what this rule denies. */
    private boolean meets(Action action) {
        if (!named(instances, instance(action))
                || images(action).flatMap(i -> names(i).stream()).noneMatch(n -> named(images, n))
                || pattern != null
                        && (action.subject() == null
                                || !pattern.matcher(action.subject()).find())) {
            return false;
        }
        var limits = maxCpus != null || maxMemory != null || maxDisk != null;
        if (!limits && networks == null && mounts == null && ports == null) {
            return true;
        }
        return passed(action) != null
                || any(networks, action.networks(), (list, n) -> named(list, n))
                || any(mounts, action.mounts(), Rule::shows)
                || any(ports, action.ports(), (list, p) -> list.stream().anyMatch(r -> r.matches(p)));
    }

    /** Which limit an action passes; null for none. */
    private @Nullable String passed(Action action) {
        if (maxCpus != null && action.cpus() > maxCpus) {
            return "max-cpus: "
                    + new java.math.BigDecimal(maxCpus.toString())
                            .stripTrailingZeros()
                            .toPlainString();
        }
        if (maxMemory != null && action.memoryMib() > maxMemory) {
            return "max-memory: " + PlainText.bytes(maxMemory << 20);
        }
        return maxDisk != null && action.diskGib() > maxDisk ? "max-disk: " + PlainText.bytes(maxDisk << 30) : null;
    }

    /** Whether a mount shows a path that is named, be it that it lies below. */
    private static boolean shows(List<Glob> named, String mount) {
        return paths(mount).stream()
                .anyMatch(p -> named(named, p)
                        || named.stream().anyMatch(g -> g.start().startsWith(p.endsWith("/") ? p : p + "/")));
    }

    /** A path as it is written, without `..`, and where it leads to. */
    private static List<String> paths(String mount) {
        Path plain;
        try {
            plain = Path.of(mount).normalize();
        } catch (InvalidPathException e) {
            return List.of(mount);
        }
        try {
            return List.of(plain.toString(), plain.toRealPath().toString());
        } catch (IOException e) {
            return List.of(plain.toString()); // it is not there
        }
    }

    /** Of what is no instance, {@code *} alone is the name. */
    private static String instance(Action action) {
        return Objects.requireNonNullElse(action.instance(), "");
    }

    private static Stream<String> images(Action action) {
        return action.image().isEmpty() ? Stream.of("") : action.image().stream();
    }

    private static List<String> names(String image) {
        return image.startsWith("/") ? paths(image) : List.of(image);
    }

    private static boolean reachesOut(String image) {
        return image.startsWith("/") || image.contains("://");
    }

    private static boolean named(@Nullable List<Glob> globs, String name) {
        return globs == null || globs.stream().anyMatch(g -> g.matches(name));
    }

    private static <L> boolean any(
            @Nullable List<L> named, List<String> asked, java.util.function.BiPredicate<List<L>, String> meets) {
        Predicate<String> hit = a -> meets.test(Objects.requireNonNull(named), a);
        return named != null && asked.stream().anyMatch(hit);
    }

    String told() {
        if (reason != null) {
            return reason;
        }
        var verb =
                switch (effect) {
                    case ALLOW -> "allows";
                    case ASK -> "asks for";
                    case DENY -> "denies";
                };
        return "a rule " + verb + " it" + (pattern == null ? "" : " (" + PlainText.shorten(pattern.pattern()) + ")");
    }

    /** Its conditions beyond who and actions, as a file has them. */
    public String conditions() {
        var parts = new ArrayList<String>();
        add(parts, "instances", instances);
        add(parts, "images", images);
        add(parts, "pattern", pattern == null ? null : pattern.pattern());
        add(parts, "max-cpus", maxCpus);
        add(parts, "max-memory", maxMemory == null ? null : maxMemory + "M");
        add(parts, "max-disk", maxDisk == null ? null : maxDisk + "G");
        add(parts, "networks", networks);
        add(parts, "mounts", mounts);
        add(parts, "ports", ports);
        return String.join(" ", parts);
    }

    private static void add(List<String> parts, String key, @Nullable Object value) {
        if (value != null) {
            parts.add(key + ": " + value);
        }
    }
}
