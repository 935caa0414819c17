package dev.hydravisor.container;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * Settings of the container backend.
 *
 * @param address of containerd's socket; null or empty: {@code $HYDRA_CONTAINERD_ADDRESS}, else {@code
 *     /run/containerd/containerd.sock}
 * @param namespace of containerd that is hydra's own; null or empty: {@code $HYDRA_CONTAINERD_NAMESPACE}, else {@code hydra}
 * @param snapshotter that keeps the root file systems
 * @param cniBin the folder of the CNI plugins; null or empty: the first of the usual ones that has them
 * @param subnets the range each home takes a subnet of its bridge from, as {@code a.b.0.0/16}
 * @param logLimit what the log of one container may take; what is older than fits is dropped; 0 for no limit
 */
@ConfigurationProperties("container")
public record ContainerProperties(
        @Nullable String address,
        @Nullable String namespace,
        @DefaultValue("overlayfs") String snapshotter,
        @Nullable String cniBin,
        @DefaultValue("10.88.0.0/16") String subnets,
        @DefaultValue("64MB") DataSize logLimit) {}
