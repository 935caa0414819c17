package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelRefTest {
    @ParameterizedTest
    @CsvSource({
        "ollama:llama3.2, ollama, llama3.2",
        "ollama:llama3.2:1b, ollama, llama3.2:1b",
        "llama3.2, ollama, llama3.2",
        "llama3.2:1b, ollama, llama3.2:1b",
        "hf.co/someone/Some-Model-GGUF:Q4_K_M, ollama, hf.co/someone/Some-Model-GGUF:Q4_K_M",
        "bedrock:anthropic.claude-sonnet-4-5-v1:0, bedrock, anthropic.claude-sonnet-4-5-v1:0",
        "bedrock:arn:aws:bedrock:eu-west-1::model/x, bedrock, arn:aws:bedrock:eu-west-1::model/x",
    })
    void readsProviderAndIdAndTakesAnythingElseForAnIdOfOllamas(String text, String provider, String id) {
        assertThat(ModelRef.parse(text)).isEqualTo(new ModelRef(provider, id));
    }

    @Test
    void isWrittenAsItIsRead() {
        assertThat(ModelRef.parse("llama3.2:1b")).hasToString("ollama:llama3.2:1b");
        assertThat(ModelRef.parse(ModelRef.parse("llama3.2:1b").toString())).isEqualTo(ModelRef.parse("llama3.2:1b"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "ollama:",
                "a b",
                "-x",
                "a\u001b[31m",
                "a\nb",
                "ollama:ollama model",
                "a;b",
                "$(id)",
                "a`b"
            })
    void refusesWhatIsNoModelInOneSafeLine(String text) {
        assertThatThrownBy(() -> ModelRef.parse(text)).isInstanceOfSatisfying(HydraException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
            assertThat(e.text()).contains("is no model; write provider:id").doesNotContainPattern("\\p{Cntrl}");
        });
    }

    @Test
    void cutsALongNameInTheError() {
        assertThatThrownBy(() -> ModelRef.parse("x".repeat(10_000)))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200).contains("xxx…"));
    }
}
