package dev.hydravisor.instance;

import java.math.BigDecimal;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A container as asked for.
 *
 * @param image a reference, such as {@code debian:12}
 * @param cpus in processors, such as 0.5; 0 means all
 * @param memoryMib in MiB; 0 means all
 * @param pids how many processes and threads it may have; 0 means any number
 * @param env each as {@code NAME=value}
 * @param entrypoint the program that takes the place of the image's; null keeps that one
 * @param user as {@code user[:group]}; null for the image's
 * @param workdir an absolute path in the container; null for the image's
 * @param command what takes the place of the image's command; empty keeps that one
 */
public record ContainerSpec(
        String image,
        double cpus,
        long memoryMib,
        long pids,
        List<String> env,
        List<Mount> mounts,
        List<Port> ports,
        Network network,
        @Nullable String entrypoint,
        @Nullable String user,
        @Nullable String workdir,
        boolean readOnly,
        Restart restart,
        List<String> command)
        implements InstanceSpec {

    /** A file or folder of the host, seen at an absolute path in the container. */
    public record Mount(String source, String target, boolean readOnly) {}

    /**
     * A port of the container that is reached at one of the host's.
     *
     * @param hostAddress null for all of the host's addresses
     * @param protocol {@code tcp} or {@code udp}
     */
    public record Port(@Nullable String hostAddress, int hostPort, int containerPort, String protocol) {
        /** As it is written on the command line. */
        @Override
        public String toString() {
            return (hostAddress == null ? "" : hostAddress + ":") + hostPort + ":" + containerPort
                    + (protocol.equals("tcp") ? "" : "/" + protocol);
        }
    }

    /** What a container sees of the network. */
    public enum Network {
        /** Nothing but itself. */
        NONE,
        /** A private network behind the host. */
        BRIDGE,
        /** All that the host sees. */
        HOST
    }

    /** Whether a container that ended is started again. One that was stopped never is. */
    public enum Restart {
        NO,
        /** When it ended with another status than 0. */
        ON_FAILURE,
        ALWAYS
    }

    @Override
    public Kind kind() {
        return Kind.CONTAINER;
    }

    @Override
    public String processors() {
        return cpus == 0
                ? ""
                : new BigDecimal(Double.toString(cpus)).stripTrailingZeros().toPlainString();
    }
}
