package dev.hydravisor.vm.guest;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A NoCloud seed: the small ISO 9660 file system from which cloud-init learns a VM's name, account and key. */
public final class Seed {
    private static final List<List<String>> TOOLS = List.of(
            List.of("genisoimage"), List.of("mkisofs"), List.of("xorrisofs"), List.of("xorriso", "-as", "mkisofs"));

    private Seed() {}

    /** The program that writes ISO images and the arguments it begins with; null when none is installed. */
    public static @Nullable List<String> tool() {
        for (var tool : TOOLS) {
            for (var folder : System.getenv().getOrDefault("PATH", "/usr/bin").split(":")) {
                if (!folder.isEmpty() && Files.isExecutable(Path.of(folder, tool.getFirst()))) {
                    return tool;
                }
            }
        }
        return null;
    }

    /**
     * The bytes of a seed.
     *
     * @param scratch a folder to work in
     */
    public static byte[] make(Path scratch, UUID id, String name, String userData) {
        var tool = tool();
        if (tool == null) {
            throw HydraException.unavailable("no program that writes ISO images is there; install `genisoimage`");
        }
        try {
            var folder = Files.createTempDirectory(scratch, "seed-");
            var meta = folder.resolve("meta-data");
            var user = folder.resolve("user-data");
            var iso = folder.resolve("seed.iso");
            try {
                Map<String, @Nullable Object> data = new LinkedHashMap<>();
                data.put("instance-id", id.toString());
                data.put("local-hostname", hostname(name));
                Files.writeString(meta, CloudConfig.write(data));
                Files.writeString(user, userData);
                var argv = new ArrayList<>(tool);
                argv.addAll(List.of("-quiet", "-output", iso.toString(), "-volid", "cidata", "-joliet", "-rock"));
                argv.addAll(List.of(user.toString(), meta.toString()));
                Processes.require(Duration.ofSeconds(20), argv);
                return Files.readAllBytes(iso);
            } finally {
                for (var file : List.of(meta, user, iso, folder)) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the seed cannot be written below `" + scratch + "`", e);
        }
    }

    /** A name as DNS allows it. */
    static String hostname(String name) {
        var allowed = name.replaceAll("[^A-Za-z0-9-]+", "-").replaceAll("^-+|-+$", "");
        var cut = allowed.substring(0, Math.min(63, allowed.length())).replaceAll("-+$", "");
        return cut.isEmpty() ? "vm" : cut;
    }
}
