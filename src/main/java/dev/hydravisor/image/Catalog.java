package dev.hydravisor.image;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The images that can be had by name: those hydra knows, and those of {@code $HYDRA_HOME/images.yaml}, which win. */
final class Catalog {
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    /**
     * An image to be had.
     *
     * @param sha256 of the file; null when it is not known beforehand
     * @param checksums address of a list of SHA-256 or SHA-512 sums with the file in it; null when there is none
     */
    record Entry(
            String name,
            String description,
            String url,
            @Nullable String sha256,
            @Nullable String checksums) {}

    private record Document(@Nullable List<Entry> images) {}

    private final HydraHome home;

    Catalog(HydraHome home) {
        this.home = home;
    }

    /** All entries by name. Read anew at each call: the user may edit the file at any time. */
    Map<String, Entry> entries() {
        var entries = new LinkedHashMap<String, Entry>();
        try (var in = Catalog.class.getResourceAsStream("/images.yaml")) {
            if (in != null) {
                read(in, "images.yaml", entries);
            }
            var own = home.root().resolve("images.yaml");
            if (Files.exists(own)) {
                try (var file = Files.newInputStream(own)) {
                    read(file, own.toString(), entries);
                }
            }
        } catch (IOException e) {
            throw HydraException.failed("the catalog of images cannot be read: " + e.getMessage(), e);
        }
        return entries;
    }

    private static void read(InputStream in, String shown, Map<String, Entry> entries) {
        try {
            var document = YAML.readValue(in, Document.class);
            var images = document == null ? null : document.images();
            if (images != null) {
                for (var e : images) {
                    if (e.name() == null || e.url() == null) {
                        throw HydraException.failed("an image in `" + shown + "` has no name or no url; correct it");
                    }
                    entries.put(e.name(), e);
                }
            }
        } catch (JacksonException e) {
            throw HydraException.failed(
                    "`" + shown + "` cannot be read: " + e.getOriginalMessage() + "; correct it", e);
        }
    }
}
