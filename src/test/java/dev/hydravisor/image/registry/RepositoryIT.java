package dev.hydravisor.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.env.TestRegistry;
import dev.hydravisor.image.Descriptor;
import dev.hydravisor.image.ImageProperties;
import dev.hydravisor.image.Reference;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

@Timeout(60)
class RepositoryIT {
    private static TestRegistry registry;

    @TempDir
    Path docker;

    @BeforeAll
    static void start() throws IOException {
        registry = TestRegistry.start(null);
    }

    @AfterAll
    static void stop() throws IOException {
        registry.close();
    }

    private Repository open(String reference) {
        return open(reference, Duration.ofSeconds(30));
    }

    private Repository open(String reference, Duration stall) {
        return new Registries(new ImageProperties(
                        List.of(), docker.toString(), Duration.ofSeconds(5), Duration.ofSeconds(10), stall))
                .open(Reference.parse(reference));
    }

    /** The bigger layer of busybox:docker, as its manifest names it. */
    private static Descriptor layer(Repository repository) throws InterruptedException {
        var layer = JsonMapper.shared()
                .readTree(repository.manifest("docker").content())
                .path("layers")
                .path(0);
        return new Descriptor(
                layer.path("mediaType").asString(),
                layer.path("digest").asString(),
                layer.path("size").asLong());
    }

    private static String digest(byte[] content) throws Exception {
        return "sha256:"
                + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    private void pullsWhole(String reference, Duration stall) throws Exception {
        try (var repository = open(reference, stall)) {
            var layer = layer(repository);
            try (var in = repository.open(layer)) {
                var content = in.readAllBytes();
                assertThat(digest(content)).isEqualTo(layer.digest());
            }
        }
    }

    @Test
    void anIndexComesAsItIsAndHasTheDigestTheRegistrySays() throws Exception {
        try (var repository = open(registry.address() + "/busybox:1")) {
            var index = repository.manifest("1");
            assertThat(index.mediaType()).isEqualTo("application/vnd.oci.image.index.v1+json");
            assertThat(repository.digest("1")).contains(digest(index.content()));
            assertThat(repository.digest("2")).isEmpty();
        }
    }

    @Test
    void aLayerComesWhole() throws Exception {
        pullsWhole(registry.address() + "/busybox:docker", Duration.ofSeconds(30));
    }

    @Test
    void aDownloadThatBreaksOffGoesOnWhereItWas() throws Exception {
        pullsWhole(registry.front() + "/broken/busybox:docker", Duration.ofSeconds(30));
    }

    @Test
    void aDownloadThatBreaksOffComesWholeAlsoWithoutRanges() throws Exception {
        pullsWhole(registry.front() + "/broken/norange/busybox:docker", Duration.ofSeconds(30));
    }

    @Test
    void aDownloadThatStallsIsTakenUpAnew() throws Exception {
        pullsWhole(registry.front() + "/stalled/busybox:docker", Duration.ofSeconds(1));
    }

    @Test
    void aBusyRegistryIsAskedAgainWhenItSays() throws Exception {
        var start = System.nanoTime();
        pullsWhole(registry.front() + "/busy/busybox:docker", Duration.ofSeconds(30));
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofMillis(1900));
    }

    @Test
    void blobsOnAnotherHostAreFetchedWithoutTheCredentials() throws Exception {
        pullsWhole(registry.front() + "/closed/moved/busybox:docker", Duration.ofSeconds(30));
    }

    @Test
    void whatDoesNotExistIsNotFound() {
        try (var repository = open(registry.address() + "/busybox:none")) {
            assertThatThrownBy(() -> repository.manifest("none"))
                    .isInstanceOf(HydraException.class)
                    .hasMessageContaining("/busybox:none` does not exist in registry")
                    .hasMessageEndingWith("check name and tag");
        }
    }

    @Test
    void aRegistryThatIsNotThereIsSaidAtOnce() {
        try (var repository = open("127.0.0.1:1/busybox")) {
            var start = System.nanoTime();
            assertThatThrownBy(() -> repository.manifest("latest"))
                    .hasMessageStartingWith("registry `127.0.0.1:1` cannot be reached");
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(3));
        }
    }

    @Test
    void aRegistryWithTlsAndPasswordsTakesTheCaAndTheLoginOfDocker() throws Exception {
        try (var closed = TestRegistry.start("hydra:secret", "--auth", "basic", "--tls")) {
            try (var repository = open(closed.address() + "/busybox")) {
                assertThatThrownBy(() -> repository.manifest("1"))
                        .hasMessageContaining("has no certificate that this host trusts")
                        .hasMessageContaining("certs.d/" + closed.address() + "/ca.crt");
            }
            var certificates = Files.createDirectories(docker.resolve("certs.d").resolve(closed.address()));
            Files.copy(closed.folder().resolve("ca.crt"), certificates.resolve("ca.crt"));
            try (var repository = open(closed.address() + "/busybox")) {
                assertThatThrownBy(() -> repository.manifest("1"))
                        .hasMessageContaining("denies access to `busybox`")
                        .hasMessageContaining("docker login " + closed.address());
            }
            Files.writeString(
                    docker.resolve("config.json"),
                    "{\"auths\": {\"" + closed.address() + "\": {\"auth\": \"aHlkcmE6d3Jvbmc=\"}}}");
            try (var repository = open(closed.address() + "/busybox")) {
                assertThatThrownBy(() -> repository.manifest("1")).hasMessageContaining("denies access");
            }
            login(closed.address());
            pullsWhole(closed.address() + "/busybox:docker", Duration.ofSeconds(30));
        }
    }

    @Test
    void aRegistryThatDemandsATokenGetsOne() throws Exception {
        try (var closed = TestRegistry.start("hydra:secret", "--auth", "token")) {
            try (var repository = open(closed.address() + "/busybox")) {
                assertThatThrownBy(() -> repository.manifest("1")).hasMessageContaining("denies access");
            }
            login(closed.address());
            pullsWhole(closed.address() + "/busybox:docker", Duration.ofSeconds(30));
        }
    }

    private void login(String address) throws IOException {
        Files.writeString(
                docker.resolve("config.json"), "{\"auths\": {\"" + address + "\": {\"auth\": \"aHlkcmE6c2VjcmV0\"}}}");
    }
}
