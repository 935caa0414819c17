package dev.hydravisor.host;

import dev.hydravisor.wire.Rendezvous;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Where hydra keeps its data: {@code $HYDRA_HOME}, {@code ~/.hydravisor} unless set. Every folder is its owner's alone. */
public record HydraHome(Path root) {

    /** The home named by the environment. */
    public static HydraHome fromEnvironment() {
        return new HydraHome(Rendezvous.home());
    }

    public Path config() {
        return root.resolve("config.yaml");
    }

    public Path db() {
        return folder("db");
    }

    public Path images() {
        return folder("images");
    }

    public Path keys() {
        return folder("keys");
    }

    public Path run() {
        return folder("run");
    }

    public Path containers() {
        return folder("containers");
    }

    public Path logs() {
        return folder("logs");
    }

    private Path folder(String name) {
        var path = root.resolve(name);
        try {
            if (!Files.isDirectory(path)) {
                var ownerOnly = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
                Files.createDirectories(root, ownerOnly);
                Files.createDirectories(path, ownerOnly);
            }
            return path;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the folder `" + path + "`", e);
        }
    }
}
