package dev.hydravisor.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceTest {
    private static final String DIGEST = "sha256:" + "0123456789abcdef".repeat(4);

    @ParameterizedTest(name = "{0} is {1}")
    @CsvSource({
        "alpine, docker.io/library/alpine:latest, alpine:latest",
        "debian:12, docker.io/library/debian:12, debian:12",
        "grafana/loki:3.0, docker.io/grafana/loki:3.0, grafana/loki:3.0",
        "docker.io/alpine, docker.io/library/alpine:latest, alpine:latest",
        "index.docker.io/library/alpine:3, docker.io/library/alpine:3, alpine:3",
        "localhost/tool, localhost/tool:latest, localhost/tool:latest",
        "localhost:5000/tool:v1, localhost:5000/tool:v1, localhost:5000/tool:v1",
        "127.0.0.1:5000/a/b/c, 127.0.0.1:5000/a/b/c:latest, 127.0.0.1:5000/a/b/c:latest",
        "'[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a:latest'",
        "GHCR.io/owner/name:Tag_1.0-rc, ghcr.io/owner/name:Tag_1.0-rc, ghcr.io/owner/name:Tag_1.0-rc",
        "quay.io/a__b/c-d.e:x, quay.io/a__b/c-d.e:x, quay.io/a__b/c-d.e:x"
    })
    void shortNamesGetDockersDefaults(String typed, String name, String familiar) {
        var reference = Reference.parse(typed);
        assertThat(reference.name()).isEqualTo(name);
        assertThat(reference.familiar()).isEqualTo(familiar);
        assertThat(Reference.parse(name)).isEqualTo(reference);
        assertThat(Reference.parse(familiar)).isEqualTo(reference);
    }

    @Test
    void aDigestNeedsNoTagAndIsWhatTheRegistryIsAskedFor() {
        var reference = Reference.parse("debian@" + DIGEST);
        assertThat(reference.tag()).isNull();
        assertThat(reference.version()).isEqualTo(DIGEST);
        assertThat(reference.name()).isEqualTo("docker.io/library/debian@" + DIGEST);

        var both = Reference.parse("debian:12@" + DIGEST);
        assertThat(both.tag()).isEqualTo("12");
        assertThat(both.version()).isEqualTo(DIGEST);
        assertThat(both.familiar()).isEqualTo("debian:12@" + DIGEST);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "Alpine",
                "alpine:",
                "alpine:a b",
                ":latest",
                "alpine/",
                "/alpine",
                "a//b",
                "a/../b",
                "alpine@sha256:123",
                "alpine@md5:0123",
                "alpine@",
                "host.example:port/a",
                "-host.example/a",
                "http://127.0.0.1:5000/a",
                "docker://alpine",
                "a\u001b[2Jb",
                "alpine;reboot",
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            })
    void whatIsNoReferenceIsAUsageErrorWithARemedy(String typed) {
        assertThatThrownBy(() -> Reference.parse(typed)).isInstanceOfSatisfying(HydraException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE);
            assertThat(e.text()).contains("is no name of a container image; ").doesNotContain("\u001b");
        });
    }

    @Test
    void aNameThatIsTooLongIsRefused() {
        assertThatThrownBy(() -> Reference.parse("a".repeat(300))).hasMessageContaining("at most 255");
    }
}
