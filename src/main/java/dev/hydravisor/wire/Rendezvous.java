package dev.hydravisor.wire;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Where client and daemon of one home meet.
 *
 * @param socket the daemon's unix socket; its folder is its owner's alone
 * @param lock held by the daemon as long as it lives: there is one a home
 * @param pid the daemon's process id, as text
 * @param log what the daemon has to say
 */
public record Rendezvous(Path socket, Path lock, Path pid, Path log) {
    /** The kernel's limit for a socket's path, in bytes. */
    private static final int MAX_SOCKET_PATH = 107;

    public static Rendezvous in(Path home) {
        var run = home.resolve("run");
        return new Rendezvous(
                run.resolve("hydrad.sock"),
                run.resolve("hydrad.lock"),
                run.resolve("hydrad.pid"),
                home.resolve("logs").resolve("hydrad.log"));
    }

    /** The home the environment names: {@code HYDRA_HOME}, else {@code ~/.hydravisor}. */
    public static Path home() {
        var named = System.getenv("HYDRA_HOME");
        var home = named == null || named.isBlank()
                ? Path.of(System.getProperty("user.home"), ".hydravisor")
                : Path.of(named);
        return home.toAbsolutePath().normalize();
    }

    /** @throws WireException when the socket's path is longer than the kernel takes */
    public Rendezvous check() throws WireException {
        var length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_SOCKET_PATH) {
            throw new WireException("the socket's path `" + socket + "` has " + length + " bytes, more than the "
                    + MAX_SOCKET_PATH + " the kernel takes; set HYDRA_HOME to a shorter path");
        }
        return this;
    }
}
