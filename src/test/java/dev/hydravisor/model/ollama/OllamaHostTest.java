package dev.hydravisor.model.ollama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OllamaHostTest {
    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '|',
            value = {
                "||, http://127.0.0.1:11434",
                "|  |, http://127.0.0.1:11434",
                "1.2.3.4, http://1.2.3.4:11434",
                "1.2.3.4:5678, http://1.2.3.4:5678",
                ":5678, http://127.0.0.1:5678",
                "0.0.0.0, http://127.0.0.1:11434",
                "0.0.0.0:5678, http://127.0.0.1:5678",
                "gpu-box, http://gpu-box:11434",
                "gpu-box:1, http://gpu-box:1",
                "http://gpu-box, http://gpu-box:80",
                "https://gpu-box, https://gpu-box:443",
                "http://, http://127.0.0.1:80",
                "https://gpu-box:8443/, https://gpu-box:8443",
                "https://gpu-box/ollama/, https://gpu-box:443/ollama",
                "gpu-box/ollama, http://gpu-box:11434/ollama",
                "::1, http://[::1]:11434",
                "[::1], http://[::1]:11434",
                "[::1]:5678, http://[::1]:5678",
                "[::]:5678, http://[::1]:5678",
                "\" gpu-box:1 \", http://gpu-box:1",
                "'gpu-box', http://gpu-box:11434",
            })
    void isReadAsOllamasOwnClientReadsIt(String text, String url) {
        assertThat(OllamaHost.parse(text)).hasToString(url);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ftp://gpu",
                "gpu:port",
                "gpu:99999",
                "gpu:-1",
                "gpu:0",
                "gpu:",
                "a b",
                "a_b",
                "://x",
                "gpu\u001b[2J"
            })
    void isRefusedInOneLineWhenItCannotBeRead(String text) {
        assertThatThrownBy(() -> OllamaHost.parse(text)).isInstanceOfSatisfying(HydraException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
            assertThat(e.text()).startsWith("OLLAMA_HOST is `").doesNotContainPattern("\\p{Cntrl}");
        });
    }
}
