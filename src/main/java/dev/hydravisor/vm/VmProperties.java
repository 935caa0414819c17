package dev.hydravisor.vm;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Settings of the VM backend.
 *
 * @param uri of libvirt; null or empty: {@code $HYDRA_LIBVIRT_URI}, else {@code qemu:///system} where it answers, else
 *     {@code qemu:///session}
 * @param pool the storage pool of our own
 * @param poolPath the folder of the pool, made when there is no such pool; null or empty: {@code /var/lib/libvirt/images/hydra}
 *     or, for {@code qemu:///session}, {@code $HYDRA_HOME/images/pool}
 * @param netns the network namespace in which guests can be reached; null or empty: {@code $HYDRA_NETNS}, else this one
 */
@ConfigurationProperties("vm")
public record VmProperties(
        @Nullable String uri,
        @DefaultValue("hydra") String pool,
        @Nullable String poolPath,
        @Nullable String netns) {}
