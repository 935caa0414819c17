package dev.hydravisor.dashboard;

import dev.hydravisor.dashboard.Form.Field;
import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.host.ShortName;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.operation.HydraException;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The forms, each field with what completes and what checks it. */
final class Forms {
    private static final List<String> NETWORKS = List.of("none", "bridge", "host");
    private static final List<String> YES_NO = List.of("yes", "no");

    private final Known known;
    private final Supplier<List<String>> images;

    /** @param images names that a VM can be made from; asked often, answers at once */
    Forms(Known known, Supplier<List<String>> images) {
        this.known = known;
        this.images = images;
    }

    /** The form of `hydra vm create`, with its defaults. */
    Form createVm(Ui ui, Deeds deeds) {
        Supplier<List<String>> nothing = List::of;
        var fields = List.of(
                new Field("name", "also its host name", new Line(""), nothing, this::name),
                new Field(
                        "image",
                        "a name, or a disk image's path",
                        new Line(""),
                        images,
                        v -> v.isEmpty() ? "an image is needed" : null),
                new Field("cpus", "virtual processors", new Line("2"), nothing, number(1, 512)),
                new Field(
                        "memory",
                        "such as 512M or 4G",
                        new Line("2G"),
                        () -> List.of("1G", "2G", "4G", "8G"),
                        v -> size("memory", v)),
                new Field(
                        "disk",
                        "empty: the image's own size",
                        new Line(""),
                        () -> List.of("10G", "20G", "40G"),
                        v -> v.isEmpty() ? null : size("disk", v)),
                new Field(
                        "user",
                        "the account made in the guest",
                        new Line("hydra"),
                        nothing,
                        v -> v.isEmpty() ? "a user is needed" : null),
                new Field(
                        "network",
                        "of libvirt",
                        new Line("default"),
                        () -> List.of("default"),
                        v -> v.isEmpty() ? "a network is needed" : null),
                new Field("model", "empty: none", new Line(""), this::models, _ -> null),
                new Field(
                        "record",
                        "yes or no",
                        new Line("yes"),
                        () -> YES_NO,
                        v -> YES_NO.contains(v) ? null : "yes or no"));
        return new Form("create a VM", fields, deeds::plan, values -> ui.show(new Watch(deeds.create(values))));
    }

    /** The form of `hydra container create --attach`, with its defaults. */
    Form createContainer(Ui ui, Deeds deeds) {
        Supplier<List<String>> nothing = List::of;
        var fields = List.of(
                new Field("name", "also its host name", new Line(""), nothing, this::name),
                new Field(
                        "image",
                        "such as debian:12",
                        new Line(""),
                        this::containerImages,
                        v -> v.isEmpty() ? "an image is needed" : null),
                new Field(
                        "cpus",
                        "such as 1.5; empty: all",
                        new Line(""),
                        nothing,
                        v -> v.isEmpty() || v.matches("[0-9]{1,3}(\\.[0-9]{1,2})?")
                                ? null
                                : "a number, such as 2 or 0.5"),
                new Field(
                        "memory",
                        "such as 512M; empty: all",
                        new Line(""),
                        () -> List.of("256M", "512M", "1G"),
                        v -> v.isEmpty() ? null : size("memory", v)),
                new Field(
                        "network",
                        "none, bridge or host",
                        new Line("bridge"),
                        () -> NETWORKS,
                        v -> NETWORKS.contains(v) ? null : "none, bridge or host"),
                new Field("command", "empty: the image's own", new Line(""), nothing, _ -> null),
                new Field("model", "empty: none", new Line(""), this::models, _ -> null),
                new Field(
                        "record",
                        "yes or no",
                        new Line("yes"),
                        () -> YES_NO,
                        v -> YES_NO.contains(v) ? null : "yes or no"));
        return new Form("create a container", fields, deeds::plan, values -> ui.show(new Watch(deeds.create(values))));
    }

    private List<String> containerImages() {
        return known.images.stream()
                .filter(i -> i.kind() == AllImages.Kind.CONTAINER)
                .map(AllImages.Entry::name)
                .toList();
    }

    private List<String> models() {
        return known.models.models().stream().map(m -> m.model().toString()).toList();
    }

    private @Nullable String name(String typed) {
        if (typed.isEmpty()) {
            return "a name is needed";
        }
        if (!ShortName.fits(typed)) {
            return "letters, digits, single - or _";
        }
        return known.instances.stream().anyMatch(i -> i.name().equals(typed)) ? "there is one of this name" : null;
    }

    private static Function<String, @Nullable String> number(int least, int most) {
        return typed -> {
            try {
                var number = Integer.parseInt(typed);
                return number >= least && number <= most ? null : least + " to " + most;
            } catch (NumberFormatException e) {
                return "a whole number, " + least + " to " + most;
            }
        };
    }

    private static @Nullable String size(String field, String typed) {
        try {
            if (field.equals("disk")) {
                Mebibytes.gibibytes("", typed);
            } else {
                Mebibytes.of("", typed);
            }
            return null;
        } catch (HydraException e) {
            return field.equals("disk") ? "whole GiB, such as 20G" : "write it as 512M or 4G";
        }
    }
}
