package dev.hydravisor.model;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeEach;

/** The contract held against one's own Ollama: {@code -Dhydra.ollama=URL -Dhydra.ollama.model=NAME}. */
class OwnOllamaIT extends OllamaContract {
    @BeforeEach
    void start() {
        var url = System.getProperty("hydra.ollama", "");
        assumeTrue(!url.isEmpty(), "-Dhydra.ollama=URL names no Ollama");
        use(url, System.getProperty("hydra.ollama.model", "llama3.2"));
    }
}
