package dev.hydravisor.vm.guest;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;

/** The key pair of each VM, and the host keys it was met with: a folder a VM below {@code $HYDRA_HOME/keys}. */
public final class Keys {
    private final HydraHome home;

    public Keys(HydraHome home) {
        this.home = home;
    }

    /** The private key's path; the file need not exist. */
    public Path privateKey(String name) {
        return folder(name).resolve("id_ed25519");
    }

    public Path knownHosts(String name) {
        return folder(name).resolve("known_hosts");
    }

    /** Makes a pair anew, and gives the public key's line. */
    public String make(String name) {
        remove(name);
        var folder = folder(name);
        try {
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Processes.require(
                    Duration.ofSeconds(10),
                    List.of(
                            "ssh-keygen",
                            "-q",
                            "-t",
                            "ed25519",
                            "-N",
                            "",
                            "-C",
                            "hydra-" + Seed.hostname(name),
                            "-f",
                            privateKey(name).toString()));
            return Files.readString(folder.resolve("id_ed25519.pub")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException("the keys cannot be written in `" + folder + "`", e);
        }
    }

    /** Removes the folder; one that is not there is no error. */
    public void remove(String name) {
        var folder = folder(name);
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (var files = Files.walk(folder)) {
            for (var file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the keys in `" + folder + "` cannot be removed", e);
        }
    }

    private Path folder(String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.contains("/") || name.indexOf('\0') >= 0) {
            throw HydraException.usage(
                    "`" + PlainText.shorten(name) + "` is no name for a VM; use letters, digits, `-`, `_` and `.`");
        }
        return home.keys().resolve(name);
    }
}
