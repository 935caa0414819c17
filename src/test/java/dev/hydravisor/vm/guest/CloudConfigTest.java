package dev.hydravisor.vm.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CloudConfigTest {
    private static final String KEY = "ssh-ed25519 AAAA" + "B".repeat(100) + " hydra-web";

    @Test
    void withoutADocumentThereIsOneAccountWithItsKeyOnOneLine() {
        var text = CloudConfig.userData("me", KEY, null);
        assertThat(text.lines()).first().isEqualTo("#cloud-config");
        assertThat(text.lines()).anyMatch(line -> line.endsWith("- " + KEY));
        assertThat(CloudConfig.read(text).get("users"))
                .isEqualTo(List.of(Map.of(
                        "name",
                        "me",
                        "shell",
                        "/bin/bash",
                        "sudo",
                        "ALL=(ALL) NOPASSWD:ALL",
                        "ssh_authorized_keys",
                        List.of(KEY))));
    }

    @Test
    void listsAreAppendedAndMapsMergedDeeply() {
        var merged = CloudConfig.merge(
                CloudConfig.read("#cloud-config\nusers: [a]\nx: {one: 1, deep: {l: [1]}}\nkeep: yes\n"),
                CloudConfig.read("#cloud-config\nusers: [default, b]\nx: {two: 2, deep: {l: [2]}}\n"));
        assertThat(merged.get("users")).isEqualTo(List.of("a", "default", "b"));
        assertThat(merged.get("x")).isEqualTo(Map.of("one", 1, "two", 2, "deep", Map.of("l", List.of(1, 2))));
        assertThat(merged.get("keep")).isEqualTo(true);
    }

    @Test
    void theUsersOwnDocumentIsAdded() {
        var own = """
                #cloud-config
                users:
                  - name: other
                packages: [jq]
                write_files:
                  - {path: /etc/x, permissions: '0600', content: "a\\nb"}
                """;
        var read = CloudConfig.read(CloudConfig.userData("me", KEY, own));
        assertThat((List<?>) read.get("users")).hasSize(2);
        assertThat(read.get("packages")).isEqualTo(List.of("jq"));
        assertThat(read.get("write_files"))
                .isEqualTo(List.of(Map.of("path", "/etc/x", "permissions", "0600", "content", "a\nb")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "packages: [jq]",
                "#!/bin/sh\necho",
                "#cloud-config\n- a\n",
                "#cloud-config\na: [",
                "#cloud-config\na: 1\na: 2\n",
                "#cloud-config\na: !!java.net.URL ['http://x']\n",
                ""
            })
    void whatIsNoCloudConfigIsAUsageError(String own) {
        assertThatThrownBy(() -> CloudConfig.userData("me", KEY, own))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE));
    }

    @Test
    void anEmptyDocumentAddsNothing() {
        assertThat(CloudConfig.userData("me", KEY, "#cloud-config\n")).isEqualTo(CloudConfig.userData("me", KEY, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"web", "a'\"<&;$(x) b", "--x--", "ä", "a.b"})
    void aHostnameIsWhatDnsAllows(String name) {
        assertThat(Seed.hostname(name)).matches("[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?");
    }
}
