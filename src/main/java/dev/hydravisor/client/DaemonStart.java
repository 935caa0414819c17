package dev.hydravisor.client;

import dev.hydravisor.wire.FrameChannel;
import dev.hydravisor.wire.Rendezvous;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Connects to the daemon, and starts one where there is none. Of several that start at once one stays: it holds the lock. */
final class DaemonStart {
    private static final long LIMIT_NANOS = 60_000_000_000L;

    private final Rendezvous rendezvous;

    DaemonStart(Rendezvous rendezvous) {
        this.rendezvous = rendezvous;
    }

    /** @throws IOException when no daemon can be had, with the reason */
    FrameChannel connect() throws IOException {
        var channel = connectIfUp();
        return channel != null ? channel : start();
    }

    /** A connection to the daemon that is up, or null. */
    @Nullable
    FrameChannel connectIfUp() {
        SocketChannel channel = null;
        try {
            channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            channel.connect(UnixDomainSocketAddress.of(rendezvous.socket()));
            return new FrameChannel(channel);
        } catch (IOException e) {
            if (channel != null) {
                new FrameChannel(channel).close();
            }
            return null;
        }
    }

    /** Waits until a daemon is there that somebody else started. */
    void await() {
        while (true) {
            var channel = connectIfUp();
            if (channel != null) {
                channel.close();
                return;
            }
            pause(500);
        }
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private FrameChannel start() throws IOException {
        var launcher = System.getProperty("hydra.launcher");
        if (launcher == null) {
            throw new IOException(
                    "no daemon is running at `" + rendezvous.socket() + "`; start it with `hydra daemon start`");
        }
        makePrivate(rendezvous.socket().getParent());
        makePrivate(rendezvous.log().getParent());
        var log = Redirect.appendTo(rendezvous.log().toFile());
        // A session of its own: neither the terminal's end nor its Ctrl-C is meant for the daemon.
        var process = new ProcessBuilder(List.of("setsid", launcher, "--daemon"))
                .directory(Path.of("/").toFile())
                .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(log)
                .redirectError(log)
                .start();
        var start = System.nanoTime();
        while (System.nanoTime() - start < LIMIT_NANOS) {
            var channel = connectIfUp();
            if (channel != null) {
                return channel;
            }
            if (!process.isAlive() && process.exitValue() != 0) {
                throw new IOException("the daemon does not start: " + lastLine() + "; see `hydra daemon logs`");
            }
            pause(5);
        }
        throw new IOException("the daemon does not answer; see `hydra daemon logs`");
    }

    private String lastLine() throws IOException {
        var lines = Files.readAllLines(rendezvous.log());
        return lines.isEmpty() ? "it says nothing" : lines.getLast();
    }

    private static void makePrivate(@Nullable Path folder) throws IOException {
        if (folder != null && !Files.isDirectory(folder)) {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
    }
}
