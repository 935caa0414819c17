package dev.hydravisor.token;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Rule;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What a token may ask for, at most; the policy may allow less.
 *
 * @param allow the kinds of messages it may send, of {@link #VERBS}
 * @param images names it may start from, {@code *} standing for any characters; empty for all
 * @param maxCpus processors of one instance; 0 for any number
 * @param maxMemoryMib memory of one instance; 0 for any
 * @param maxInstances how many it may have at once; 0 for any number
 */
public record Scope(Set<String> allow, List<String> images, double maxCpus, long maxMemoryMib, int maxInstances) {
    /** All that can be allowed. {@code ping} needs no leave. */
    public static final List<String> VERBS = List.of("launch", "list", "show", "stop", "delete", "subscribe", "cancel");

    /** What the policy calls what a verb does. */
    private static final Map<String, List<String>> ACTIONS = Map.of(
            "launch",
                    List.of(
                            "vm.create",
                            "vm.start",
                            "vm.shell",
                            "container.create",
                            "container.start",
                            "container.shell",
                            "model.attach",
                            "workspace.open",
                            "recording.start"),
            "stop", List.of("vm.stop", "container.stop"),
            "delete", List.of("vm.delete", "container.delete"));

    public Scope {
        allow = Set.copyOf(allow);
        images = List.copyOf(images);
    }

    public boolean allows(String verb) {
        return allow.contains(verb);
    }

    /** The processors of an instance that names none: {@code otherwise}, or the most there may be. 0 stands for all. */
    public double cpus(double otherwise) {
        return maxCpus > 0 && (otherwise == 0 || otherwise > maxCpus) ? maxCpus : otherwise;
    }

    /** As {@link #cpus}, memory in MiB. */
    public long memoryMib(long otherwise) {
        return maxMemoryMib > 0 && (otherwise == 0 || otherwise > maxMemoryMib) ? maxMemoryMib : otherwise;
    }

    /** @throws HydraException DENIED, naming the field, for what is beyond this */
    public void require(InstanceSpec asked) {
        if (!images.isEmpty() && images.stream().noneMatch(g -> fits(g, asked.image()))) {
            throw denied("image", PlainText.shorten(asked.image()), "its images are " + String.join(", ", images));
        }
        switch (asked) {
            case VmSpec vm -> limit(vm.cpus(), vm.memoryMib());
            case ContainerSpec c -> limit(c.cpus(), c.memoryMib());
        }
    }

    /** This as a rule of the policy; {@code source} names the token. */
    Rule rule(String source) {
        return Rule.allow(
                source,
                allow.stream()
                        .flatMap(v -> ACTIONS.getOrDefault(v, List.of()).stream())
                        .toList(),
                images.isEmpty() ? null : images,
                maxCpus == 0 ? null : maxCpus,
                maxMemoryMib == 0 ? null : maxMemoryMib);
    }

    private void limit(double cpus, long memoryMib) {
        if (maxCpus > 0 && cpus > maxCpus) {
            throw denied("cpus", plain(cpus), "its most is " + plain(maxCpus));
        }
        if (maxMemoryMib > 0 && memoryMib > maxMemoryMib) {
            throw denied("memory_mib", Long.toString(memoryMib), "its most is " + maxMemoryMib);
        }
    }

    private static String plain(double number) {
        return number == Math.rint(number) ? Long.toString((long) number) : Double.toString(number);
    }

    private static HydraException denied(String field, String value, String why) {
        return new HydraException(
                ExitCode.DENIED, "`" + field + "` is `" + value + "`, which this token may not have; " + why);
    }

    /** {@code debian*} also fits {@code docker.io/library/debian:13}, as people write it. */
    private static boolean fits(String glob, String image) {
        return matches(glob, image) || matches(glob, image.replaceFirst("^docker\\.io/(library/)?", ""));
    }

    private static boolean matches(String glob, String text) {
        var parts = glob.split("\\*", -1);
        var regex = new StringBuilder(Pattern.quote(parts[0]));
        for (int i = 1; i < parts.length; i++) {
            regex.append(".*").append(Pattern.quote(parts[i]));
        }
        return Pattern.compile(regex.toString(), Pattern.DOTALL).matcher(text).matches();
    }
}
