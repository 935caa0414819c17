package dev.hydravisor.model.bedrock;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Where Bedrock is reached and as whom, under the names that Spring AI's own module has; what is not set here, AWS's own files,
 * variables and services say.
 *
 * @param endpoint in place of the region's own address, such as that of a VPC
 */
@ConfigurationProperties("spring.ai.bedrock.aws")
record BedrockSettings(
        @Nullable String region,
        @Nullable String accessKey,
        @Nullable String secretKey,
        @Nullable String sessionToken,
        @Nullable String endpoint,
        @DefaultValue("3s") Duration connectionTimeout,
        @DefaultValue("60s") Duration firstTokenTimeout,
        @DefaultValue("60s") Duration gapTimeout,
        @DefaultValue("128000") int contextWindow) {}
