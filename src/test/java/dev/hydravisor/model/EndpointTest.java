package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class EndpointTest {
    @Test
    void keepsTheVariablesThatMatterAndNoOther() {
        var environment = Map.of("OLLAMA_HOST", "gpu:1", "AWS_REGION", "", "HOME", "/root", "AWS_PROFILE", "work");
        assertThat(Endpoint.of(environment::get).environment())
                .isEqualTo(Map.of("OLLAMA_HOST", "gpu:1", "AWS_PROFILE", "work"));
    }

    @Test
    void fallsBackWhereAVariableIsNotSet() {
        assertThat(Endpoint.DEFAULT.get("OLLAMA_HOST", "here")).isEqualTo("here");
    }
}
