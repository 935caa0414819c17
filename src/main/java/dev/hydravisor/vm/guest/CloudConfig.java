package dev.hydravisor.vm.guest;

import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.representer.Representer;

/** A cloud-init user-data document. Read and written as YAML 1.1, as cloud-init itself does, so that a {@code yes} stays true. */
public final class CloudConfig {
    private static final String HEADER = "#cloud-config";

    private CloudConfig() {}

    /**
     * The user-data of a VM: an account with its key, who may become root, and all that the user's own document asks for.
     *
     * @param own a cloud-config document; null when the user gave none
     * @throws HydraException USAGE when that is none
     */
    public static String userData(String user, String publicKey, @Nullable String own) {
        var account = new LinkedHashMap<String, @Nullable Object>();
        account.put("name", user);
        account.put("shell", "/bin/bash");
        account.put("sudo", "ALL=(ALL) NOPASSWD:ALL");
        account.put("ssh_authorized_keys", List.of(publicKey));
        Map<String, @Nullable Object> ours = new LinkedHashMap<>();
        ours.put("users", List.of(account));
        return HEADER + "\n" + write(own == null ? ours : merge(ours, read(own)));
    }

    /** The user's own document, checked. */
    static Map<String, @Nullable Object> read(String own) {
        var first = own.lines().findFirst().orElse("").strip();
        if (!first.equals(HEADER)) {
            throw HydraException.usage("the user-data is no cloud-config; its first line must be `" + HEADER + "`");
        }
        var options = new LoaderOptions();
        options.setAllowDuplicateKeys(false);
        Object document;
        try {
            document = new Yaml(new SafeConstructor(options)).load(own);
        } catch (YAMLException e) {
            throw HydraException.usage("the user-data is no YAML: "
                    + String.valueOf(e.getMessage()).strip().replaceAll("\\s*\\R\\s*", " ") + "; correct it");
        }
        if (document == null) {
            return Map.of();
        }
        if (!(document instanceof Map<?, ?> map)) {
            throw HydraException.usage("the user-data is no cloud-config: it must be a map of keys to values");
        }
        return strings(map);
    }

    /** Maps are merged deeply, lists appended; anything else {@code over} replaces. */
    static Map<String, @Nullable Object> merge(
            Map<String, @Nullable Object> under, Map<String, @Nullable Object> over) {
        var merged = new LinkedHashMap<>(under);
        over.forEach((key, value) -> merged.put(key, merge(merged.get(key), value)));
        return merged;
    }

    private static @Nullable Object merge(@Nullable Object under, @Nullable Object over) {
        if (under instanceof Map<?, ?> a && over instanceof Map<?, ?> b) {
            return merge(strings(a), strings(b));
        }
        if (under instanceof List<?> a && over instanceof List<?> b) {
            var all = new ArrayList<@Nullable Object>(a);
            all.addAll(b);
            return all;
        }
        return over;
    }

    static String write(Map<String, @Nullable Object> document) {
        var options = new DumperOptions();
        options.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
        options.setSplitLines(false);
        return new Yaml(new Representer(options), options).dump(document);
    }

    private static Map<String, @Nullable Object> strings(Map<?, ?> map) {
        var strings = new LinkedHashMap<String, @Nullable Object>();
        map.forEach((key, value) -> strings.put(String.valueOf(key), value));
        return strings;
    }
}
