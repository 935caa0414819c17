package dev.hydravisor.image;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A container image that is there, whole and unpacked.
 *
 * @param name in full, as containerd knows it; see {@link Reference#name()}
 * @param digest of what the name stands for: an index or a manifest
 * @param platform such as {@code linux/amd64}
 * @param size bytes of its layers and its configuration as they were pulled
 * @param chain the name of the snapshot with its root file system: the chain ID of its layers
 * @param pulled when the name got its present meaning
 */
public record OciImage(
        String name, String digest, String platform, long size, String chain, Instant pulled, Config config) {

    /**
     * How its containers run unless told otherwise.
     *
     * @param env {@code NAME=value} each
     * @param user {@code uid[:gid]} or names; empty for root
     * @param workdir empty for {@code /}
     * @param ports {@code 80/tcp} each
     * @param volumes paths
     * @param stopSignal such as {@code SIGTERM}; null when it names none
     */
    public record Config(
            List<String> entrypoint,
            List<String> cmd,
            List<String> env,
            String user,
            String workdir,
            Map<String, String> labels,
            List<String> ports,
            List<String> volumes,
            @Nullable String stopSignal) {}

    /** The name as a user would write it. */
    public String familiar() {
        return Reference.parse(name).familiar();
    }
}
