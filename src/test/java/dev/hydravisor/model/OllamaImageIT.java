package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.standin.StandInProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.MountableFile;

/** The contract held against the image {@code ollama/ollama}, where a Docker daemon has it. */
class OllamaImageIT extends OllamaContract {
    private static final String IMAGE = "ollama/ollama";

    private static @Nullable GenericContainer<?> ollama;

    @BeforeAll
    static void start() throws Exception {
        if (!isThere()) {
            return;
        }
        var container = new GenericContainer<>(IMAGE)
                .withExposedPorts(11434)
                .withCopyFileToContainer(MountableFile.forHostPath(StandInProcess.tinyModel()), "/tmp/tinychat.gguf")
                .waitingFor(Wait.forHttp("/").forPort(11434));
        ollama = container;
        container.start();
        var made = container.execInContainer(
                "sh", "-c", "echo FROM /tmp/tinychat.gguf >/tmp/Modelfile && ollama create tinychat -f /tmp/Modelfile");
        assertThat(made.getExitCode()).as(made.getStderr()).isZero();
        use("http://" + container.getHost() + ":" + container.getMappedPort(11434), "tinychat");
    }

    @BeforeEach
    void requireImage() {
        assumeTrue(
                ollama != null,
                "no Docker daemon with the image " + IMAGE + " at -Ddocker.host; `docker pull " + IMAGE + "` gets it");
    }

    private static boolean isThere() {
        // Where it once found no daemon, Testcontainers asks no other in this JVM.
        var host = System.getenv().getOrDefault("DOCKER_HOST", "unix:///var/run/docker.sock");
        if (host.startsWith("unix://") && !Files.exists(Path.of(host.substring("unix://".length())))) {
            return false;
        }
        try {
            return DockerClientFactory.instance().isDockerAvailable()
                    && !DockerClientFactory.lazyClient()
                            .listImagesCmd()
                            .withImageNameFilter(IMAGE)
                            .exec()
                            .isEmpty();
        } catch (RuntimeException e) {
            return false;
        }
    }

    @AfterAll
    static void stop() {
        if (ollama != null) {
            ollama.stop();
        }
    }
}
