package dev.hydravisor.policy;

import dev.hydravisor.host.PlainText;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What somebody wants to do, as the policy judges it and the audit trail calls it.
 *
 * @param name such as {@code vm.create}, {@code image.pull}; a model's tool by its own name
 * @param target what it is done to, for the audit trail: the name of an instance, an image, a recording, …
 * @param instance the instance it touches; null for none
 * @param image all names of the image that the instance is made of, or of the one it is about; empty for none
 * @param subject the exact command, path or text; null when there is none
 * @param cpus processors; {@link Double#POSITIVE_INFINITY} for any number; 0 where it asks for none, as all that follows
 * @param memoryMib in MiB; {@link Long#MAX_VALUE} for all there is
 * @param diskGib in GiB
 * @param networks by name
 * @param mounts absolute paths of this host
 * @param ports of this host, each as {@code [ADDRESS:]PORT[/udp]}
 */
public record Action(
        String name,
        String target,
        @Nullable String instance,
        Set<String> image,
        @Nullable String subject,
        double cpus,
        long memoryMib,
        long diskGib,
        List<String> networks,
        List<String> mounts,
        List<String> ports) {
    /** An action on something that is no instance. */
    public static Action of(String name, String target) {
        return new Action(name, target, null, Set.of(), null, 0, 0, 0, List.of(), List.of(), List.of());
    }

    /** An action on an instance. */
    public static Action on(String name, String instance) {
        return of(name, instance).instance(instance);
    }

    public Action instance(String touched) {
        return new Action(name, target, touched, image, subject, cpus, memoryMib, diskGib, networks, mounts, ports);
    }

    public Action image(Set<String> names) {
        return new Action(name, target, instance, names, subject, cpus, memoryMib, diskGib, networks, mounts, ports);
    }

    public Action subject(String exact) {
        return new Action(name, target, instance, image, exact, cpus, memoryMib, diskGib, networks, mounts, ports);
    }

    /** With what it asks for of the host. */
    public Action takes(
            double processors,
            long memory,
            long disk,
            List<String> itsNetworks,
            List<String> itsMounts,
            List<String> itsPorts) {
        return new Action(
                name,
                target,
                instance,
                image,
                subject,
                processors,
                memory,
                disk,
                List.copyOf(itsNetworks),
                List.copyOf(itsMounts),
                List.copyOf(itsPorts));
    }

    /** For a person: {@code vm.create of `web`}. */
    public String told() {
        return name + (target.isEmpty() ? "" : " of `" + PlainText.shorten(target) + "`");
    }

    /** What tells it from others of its name, for the audit trail. */
    String detail() {
        var parts = new java.util.ArrayList<String>();
        if (subject != null && !subject.equals(target)) {
            parts.add(subject);
        }
        image.stream().findFirst().filter(i -> !i.equals(target)).ifPresent(i -> parts.add("image " + i));
        if (cpus > 0 && cpus < Double.POSITIVE_INFINITY) {
            parts.add("cpus " + (cpus == Math.rint(cpus) ? String.valueOf((long) cpus) : String.valueOf(cpus)));
        }
        if (memoryMib > 0 && memoryMib < Long.MAX_VALUE) {
            parts.add("memory " + memoryMib + "M");
        }
        if (diskGib > 0) {
            parts.add("disk " + diskGib + "G");
        }
        add(parts, "network ", networks);
        add(parts, "mount ", mounts);
        add(parts, "port ", ports);
        return String.join(", ", parts);
    }

    private static void add(List<String> parts, String what, List<String> values) {
        if (!values.isEmpty()) {
            parts.add(values.stream().map(v -> what + v).collect(Collectors.joining(", ")));
        }
    }
}
