package dev.hydravisor.standin;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The models that are installed, the ones that are loaded, and how far each download has come. */
final class Catalogue {

    /** The name of the tiny real model. */
    static final String TINY = "tinychat";

    /**
     * An installed model.
     *
     * @param name with its tag
     * @param script the row of {@link Scripts} that answers for it, or {@link #TINY}
     * @param parameters their number
     * @param remote {@code remote_model} and {@code remote_host} where it runs on another machine, else empty
     */
    record Model(
            String name,
            String script,
            String family,
            long parameters,
            String quantization,
            int context,
            int embedding,
            long size,
            String digest,
            Instant modified,
            Set<String> abilities,
            Map<String, String> remote) {

        Model as(String otherName) {
            return as(otherName, size);
        }

        Model as(String otherName, long otherSize) {
            return new Model(
                    otherName,
                    script,
                    family,
                    parameters,
                    quantization,
                    context,
                    embedding,
                    otherSize,
                    digest,
                    Instant.now(),
                    abilities,
                    remote);
        }

        ObjectNode details() {
            ObjectNode details = Wire.JSON.createObjectNode().put("parent_model", "");
            details.put("format", remote.isEmpty() ? "gguf" : "").put("family", family);
            details.putArray("families").add(family);
            return details.put("parameter_size", human(parameters)).put("quantization_level", quantization);
        }

        /** As {@code /api/tags} lists it. */
        ObjectNode listed() {
            ObjectNode node = Wire.JSON.createObjectNode().put("name", name).put("model", name);
            remote.forEach(node::put);
            node.put("modified_at", modified.toString()).put("size", size).put("digest", digest);
            node.set("details", details().put("context_length", context).put("embedding_length", embedding));
            node.set("capabilities", abilityNodes());
            return node;
        }

        /** As {@code /api/show} shows it. */
        ObjectNode shown() {
            ObjectNode node = Wire.JSON.createObjectNode();
            node.put("modelfile", "# Modelfile of " + name + "\nFROM " + name + "\nPARAMETER temperature 0\n");
            node.put("parameters", "temperature                    0");
            node.put("template", "{{ .Prompt }}");
            node.set("details", details());
            remote.forEach(node::put);
            ObjectNode info = node.putObject("model_info")
                    .put("general.architecture", family)
                    .put("general.basename", name.split(":")[0])
                    .put("general.parameter_count", parameters);
            info.put(family + ".context_length", context).put(family + ".embedding_length", embedding);
            node.set("capabilities", abilityNodes());
            return node.put("modified_at", modified.toString());
        }

        private ArrayNode abilityNodes() {
            ArrayNode nodes = Wire.JSON.createArrayNode();
            new TreeSet<>(abilities).forEach(nodes::add);
            return nodes;
        }

        private static String human(long parameters) {
            return parameters >= 1_000_000_000L
                    ? String.format(Locale.ROOT, "%.1fB", parameters / 1e9)
                    : String.format(Locale.ROOT, "%.2fM", parameters / 1e6);
        }
    }

    private record Loaded(Model model, Instant expires) {}

    /** Forever, as far as keep_alive is concerned. */
    static final Duration FOREVER = Duration.ofDays(36_500);

    private final Map<String, Model> installed = new ConcurrentHashMap<>();
    private final Map<String, Model> library = new ConcurrentHashMap<>();
    private final Map<String, Loaded> loaded = new ConcurrentHashMap<>();
    private final Map<String, Long> downloaded = new ConcurrentHashMap<>();

    /** Installs the tiny model. */
    void addTiny(Path file) throws IOException {
        byte[] content = Files.readAllBytes(file);
        Model model = new Model(
                TINY + ":latest",
                TINY,
                "llama",
                content.length / 4L,
                "F32",
                TinyEngine.CONTEXT,
                96,
                content.length,
                Wire.digest(content),
                Files.getLastModifiedTime(file).toInstant(),
                Set.of("completion"),
                Map.of());
        installed.put(model.name(), model);
        library.put(model.name(), model);
    }

    /** Installs a model for each row, and one that runs elsewhere. */
    void addScripted(Collection<Scripts.Row> rows) {
        for (Scripts.Row row : rows) {
            Model model = scripted(row.name() + ":latest", row.name(), row.abilities());
            installed.put(model.name(), model);
            library.put(model.name(), model);
        }
        Model far = new Model(
                "big:cloud",
                "echo",
                "llama",
                671_000_000_000L,
                "FP8",
                163_840,
                7168,
                384,
                Wire.digest("big:cloud"),
                Instant.parse("2026-02-01T08:00:00Z"),
                Set.of("completion", "tools"),
                Map.of("remote_model", "big", "remote_host", "https://ollama.com:443"));
        installed.put(far.name(), far);
    }

    private static Model scripted(String name, String script, Set<String> abilities) {
        String digest = Wire.digest(name);
        long spread = Long.parseLong(digest.substring(0, 6), 16);
        return new Model(
                name,
                script,
                "llama",
                1_000_000_000L + spread * 400,
                "Q4_K_M",
                131_072,
                2048,
                600_000_000L + spread * 240,
                digest,
                Instant.parse("2026-01-01T00:00:00Z").plusSeconds(spread),
                abilities,
                Map.of());
    }

    /** A name with its tag. */
    static String full(String name) {
        return name.substring(name.lastIndexOf('/') + 1).contains(":") ? name : name + ":latest";
    }

    /** Finds an installed model; a scripted one answers to every tag that is made of options. */
    Optional<Model> find(String name) {
        String full = full(name);
        int colon = full.lastIndexOf(':');
        Model model = installed.get(full);
        if (model == null && Options.areIn(full.substring(colon + 1))) {
            model = installed.get(full.substring(0, colon) + ":latest");
            model = model == null || model.script().equals(TINY) ? null : model.as(full);
        }
        return Optional.ofNullable(model);
    }

    void copy(Model model, String name) {
        installed.put(full(name), model.as(full(name)));
    }

    boolean delete(String name) {
        loaded.remove(full(name));
        return installed.remove(full(name)) != null;
    }

    List<Model> installed() {
        return installed.values().stream()
                .sorted(Comparator.comparing(Model::modified).reversed().thenComparing(Model::name))
                .toList();
    }

    /** What can be downloaded under a name: whatever was installed at the start, and the rows of {@link Pulls}. */
    Optional<Model> inLibrary(String name) {
        String full = full(name);
        if (library.containsKey(full)) {
            return Optional.of(library.get(full));
        }
        return Pulls.ROWS.containsKey(full.split(":")[0])
                ? Optional.of(scripted(full, "echo", Set.of("completion", "tools")))
                : Optional.empty();
    }

    /** Installs a model whose download of so many bytes is complete. */
    void install(Model model, long size) {
        installed.put(model.name(), model.as(model.name(), size));
    }

    long downloaded(String digest) {
        return downloaded.getOrDefault(digest, 0L);
    }

    void downloaded(String digest, long bytes) {
        downloaded.put(digest, bytes);
    }

    /** Whether a model is in memory. */
    boolean isLoaded(Model model) {
        Loaded entry = loaded.get(model.name());
        return entry != null && entry.expires().isAfter(Instant.now());
    }

    void load(Model model, Duration keepAlive) {
        loaded.put(model.name(), new Loaded(model, Instant.now().plus(keepAlive)));
    }

    void unload(Model model) {
        loaded.remove(model.name());
    }

    /** As {@code /api/ps} lists what is loaded, the longest to stay first. */
    List<ObjectNode> running() {
        List<Loaded> entries = new ArrayList<>(loaded.values());
        entries.removeIf(entry -> entry.expires().isBefore(Instant.now()));
        entries.sort(Comparator.comparing(Loaded::expires).reversed());
        List<ObjectNode> nodes = new ArrayList<>();
        for (Loaded entry : entries) {
            Model model = entry.model();
            ObjectNode node =
                    Wire.JSON.createObjectNode().put("name", model.name()).put("model", model.name());
            node.put("size", model.size()).put("digest", model.digest());
            node.set("details", model.details());
            node.put("expires_at", entry.expires().toString()).put("size_vram", 0);
            nodes.add(node.put("context_length", Math.min(model.context(), 4096)));
        }
        return nodes;
    }
}
