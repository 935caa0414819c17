package dev.hydravisor.container;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.ContainerSpec.Network;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** What hydra keeps of a container outside of containerd, a folder each: its spec, its log, and the files of /etc that are the host's to write. */
final class ContainerFiles {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path root;
    private final long logLimit;

    /** @param logLimit what a log may take, in bytes; 0 for no limit */
    ContainerFiles(HydraHome home, long logLimit) {
        root = home.containers();
        this.logLimit = logLimit;
    }

    Path root() {
        return root;
    }

    private Path of(UUID id) {
        return root.resolve(id.toString());
    }

    Path log(UUID id) {
        return of(id).resolve("log");
    }

    /** What the network's plugins said; there while the container is connected. */
    Path network(UUID id) {
        return of(id).resolve("network.json");
    }

    /** Writes the files of a new container; returns them by the path they are seen at in it. */
    Map<String, Path> make(UUID id, String name, ContainerSpec spec) {
        try {
            Files.createDirectories(
                    of(id), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
            Files.write(of(id).resolve("spec.json"), JSON.writeValueAsBytes(spec));
            var files = new LinkedHashMap<String, Path>();
            if (spec.network() != Network.HOST) {
                files.put("/etc/hostname", write(id, "hostname", name + "\n"));
                files.put("/etc/hosts", write(id, "hosts", hosts(name, null)));
            } else {
                files.put("/etc/hosts", write(id, "hosts", read(Path.of("/etc/hosts"))));
            }
            files.put("/etc/resolv.conf", write(id, "resolv.conf", resolvers(spec.network())));
            return files;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Brings up to date what changes from one start to the next. The files keep their inodes: the container has them mounted. */
    void renew(UUID id, String name, ContainerSpec spec, @Nullable String address) {
        try {
            if (spec.network() != Network.HOST) {
                write(id, "hosts", hosts(name, address));
            }
            write(id, "resolv.conf", resolvers(spec.network()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The spec it was made with; null when hydra knows no such container. */
    @Nullable
    ContainerSpec spec(UUID id) {
        try {
            return JSON.readValue(Files.readAllBytes(of(id).resolve("spec.json")), ContainerSpec.class);
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** All containers that have files. */
    List<UUID> all() {
        try (var entries = Files.list(root)) {
            return entries.map(p -> p.getFileName().toString())
                    .filter(n -> n.length() == 36)
                    .map(UUID::fromString)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void remove(UUID id) {
        if (!Files.exists(of(id))) {
            return;
        }
        try (var files = Files.walk(of(id))) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where containerd's shim is to send what the main process prints; see {@code logger}. */
    String logUri(UUID id) {
        // The logger keeps two files.
        return "binary://" + encode(program("logger").toString()).replace("%2F", "/") + "?" + encode(log(id).toString())
                + "=" + logLimit / 2;
    }

    /** One of our own small programs, as a file that can be run. */
    Path program(String name) {
        try (var in = ContainerFiles.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("`" + name + "` is not in this program");
            }
            var content = in.readAllBytes();
            var file = root.resolve(name);
            if (!Files.exists(file) || !java.util.Arrays.equals(Files.readAllBytes(file), content)) {
                // Moved into place whole: a shim may be about to run the old one.
                var fresh = Files.createTempFile(root, name, null);
                Files.write(fresh, content);
                Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rwxr-xr-x"));
                Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write `" + root.resolve(name) + "`", e);
        }
    }

    private Path write(UUID id, String name, String text) throws IOException {
        var file = of(id).resolve(name);
        Files.writeString(file, text);
        // Whoever the container's process runs as must be able to read it.
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        return file;
    }

    private static String hosts(String name, @Nullable String address) {
        return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
                + (address == null ? "127.0.1.1" : address) + " " + name + "\n";
    }

    /** The host's name servers, but for those that only the host itself can reach. */
    private static String resolvers(Network network) {
        var host = read(Path.of("/etc/resolv.conf"));
        if (network == Network.NONE) {
            return "";
        }
        if (network == Network.HOST) {
            return host;
        }
        var usable = Stream.of(host, read(Path.of("/run/systemd/resolve/resolv.conf")))
                .filter(ContainerFiles::hasReachableServer)
                .findFirst()
                .orElse("");
        return usable.lines()
                .filter(l -> !isNameServer(l) || isReachable(l))
                .map(l -> l + "\n")
                .collect(java.util.stream.Collectors.joining());
    }

    private static boolean hasReachableServer(String resolvers) {
        return resolvers.lines().anyMatch(l -> isNameServer(l) && isReachable(l));
    }

    private static boolean isNameServer(String line) {
        return line.stripLeading().startsWith("nameserver");
    }

    private static boolean isReachable(String line) {
        var address = line.strip().replaceFirst("nameserver\\s+", "");
        return !address.startsWith("127.") && !address.equals("::1");
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
