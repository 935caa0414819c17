package dev.hydravisor.model;

import dev.hydravisor.standin.StandInProcess;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** The stand-in keeps the contract, so what is tested with it holds for Ollama. */
class OllamaStandInContractIT extends OllamaContract {
    @SuppressWarnings("NullAway.Init")
    private static StandInProcess ollama;

    @BeforeAll
    static void start() throws IOException {
        ollama = StandInProcess.startWithTinyModel();
        use(ollama.url(), "tinychat");
    }

    @AfterAll
    static void stop() {
        ollama.close();
    }
}
