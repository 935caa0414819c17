package dev.hydravisor.image;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Settings of registries.
 *
 * @param insecureRegistries hosts, with their port, that may be spoken to without TLS; those of the loopback always may
 * @param dockerConfig the folder of Docker's config.json; null or empty: {@code $DOCKER_CONFIG}, else {@code ~/.docker}
 * @param connectTimeout until a connection stands
 * @param answerTimeout until an answer begins
 * @param stallTimeout until the next bytes of an answer
 */
@ConfigurationProperties("image")
public record ImageProperties(
        @DefaultValue List<String> insecureRegistries,
        @Nullable String dockerConfig,
        @DefaultValue("15s") Duration connectTimeout,
        @DefaultValue("30s") Duration answerTimeout,
        @DefaultValue("60s") Duration stallTimeout) {}
