package dev.hydravisor.vm;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.vm.libvirt.Domains;
import dev.hydravisor.vm.libvirt.Libvirt;
import dev.hydravisor.vm.libvirt.Volumes;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Component;

/** The one libvirt of this process, as the properties and the environment name it. Connects when first asked something. */
@Component
@EnableConfigurationProperties(VmProperties.class)
class Hypervisor {
    private final Libvirt libvirt;
    private final Domains domains;
    private final Volumes volumes;
    private final String pool;
    private final @Nullable String netns;

    Hypervisor(VmProperties properties, HydraHome home) {
        var uri = firstOf(properties.uri(), System.getenv("HYDRA_LIBVIRT_URI"));
        libvirt = new Libvirt(uri == null ? List.of("qemu:///system", "qemu:///session") : List.of(uri));
        domains = new Domains(libvirt);
        netns = firstOf(properties.netns(), System.getenv("HYDRA_NETNS"));
        pool = properties.pool();
        var path = firstOf(properties.poolPath());
        volumes = new Volumes(libvirt, pool, () -> {
            if (path != null) {
                return path;
            }
            return libvirt.isSession() ? home.images().resolve("pool").toString() : "/var/lib/libvirt/images/hydra";
        });
    }

    Libvirt libvirt() {
        return libvirt;
    }

    Domains domains() {
        return domains;
    }

    Volumes volumes() {
        return volumes;
    }

    /** The network namespace in which guests can be reached; null for this process's own. */
    @Nullable
    String netns() {
        return netns;
    }

    private static @Nullable String firstOf(@Nullable String... values) {
        return Stream.of(values)
                .filter(v -> v != null && !v.isBlank())
                .findFirst()
                .orElse(null);
    }
}
