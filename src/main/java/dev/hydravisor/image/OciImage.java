package dev.hydravisor.image;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A container image that is there, its layers unpacked.
 *
 * @param name as its store knows it, such as {@code docker.io/library/alpine:latest}
 * @param digest of its manifest, for this host's platform
 * @param snapshot what a container's root file system is based on: the chain ID of its layers
 */
public record OciImage(String name, String digest, String snapshot, Config config) {
    /**
     * How its maker means it to be run.
     *
     * @param env each as {@code NAME=value}
     * @param user as {@code user[:group]}, names or numbers; empty for root
     * @param workdir empty for {@code /}
     * @param exposedPorts such as {@code 80/tcp}
     * @param stopSignal a name or a number; null for SIGTERM
     */
    public record Config(
            List<String> env,
            List<String> entrypoint,
            List<String> cmd,
            String user,
            String workdir,
            List<String> exposedPorts,
            @Nullable String stopSignal) {}
}
