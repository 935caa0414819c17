package dev.hydravisor.container;

import dev.hydravisor.container.containerd.Containerd;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The one containerd of this process, as the properties and the environment name it. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(ContainerProperties.class)
class ContainerHost {
    @Bean(destroyMethod = "shutdown")
    Containerd containerd(ContainerProperties properties) {
        return new Containerd(
                firstOf(
                        properties.address(),
                        System.getenv("HYDRA_CONTAINERD_ADDRESS"),
                        "/run/containerd/containerd.sock"),
                firstOf(properties.namespace(), System.getenv("HYDRA_CONTAINERD_NAMESPACE"), "hydra"));
    }

    private static String firstOf(@Nullable String... values) {
        return Stream.of(values)
                .filter(v -> v != null && !v.isBlank())
                .findFirst()
                .orElseThrow();
    }
}
