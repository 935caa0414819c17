package dev.hydravisor.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.image.registry.DockerConfig.Login;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DockerConfigTest {
    @TempDir
    Path folder;

    private DockerConfig config(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), json);
        return new DockerConfig(folder.toString());
    }

    @Test
    void withoutAFileThereIsNoLogin() {
        assertThat(new DockerConfig(folder.toString()).login("docker.io")).isEmpty();
    }

    @Test
    void anAuthIsBase64OfNameAndPassword() throws IOException {
        var config = config("""
                {"auths": {"127.0.0.1:5000": {"auth": "aHlkcmE6c2VjOnJldA=="}, "other.example": {}}}
                """);
        assertThat(config.login("127.0.0.1:5000")).contains(new Login("hydra", "sec:ret", false));
        assertThat(config.login("127.0.0.1")).isEmpty();
        assertThat(config.login("other.example")).isEmpty();
    }

    @Test
    void dockerHubIsKnownByItsOldAddress() throws IOException {
        var config = config("""
                {"auths": {"https://index.docker.io/v1/": {"username": "me", "password": "pw"},
                           "https://quay.example/v2/": {"auth": "cTpw"}}}
                """);
        assertThat(config.login("docker.io")).contains(new Login("me", "pw", false));
        assertThat(config.login("quay.example")).contains(new Login("q", "p", false));
    }

    @Test
    void anIdentityTokenWinsOverAPassword() throws IOException {
        var config = config("""
                {"auths": {"r.example": {"auth": "YTpi", "identitytoken": "t0ken"}}}
                """);
        assertThat(config.login("r.example")).contains(new Login("<token>", "t0ken", true));
    }

    @Test
    void aHelperThatIsNotInstalledIsPassedOver() throws IOException {
        var config = config("""
                {"credsStore": "there-is-none-such", "auths": {"r.example": {"auth": "YTpi"}}}
                """);
        assertThat(config.login("r.example")).contains(new Login("a", "b", false));
        assertThat(config.login("other.example")).isEmpty();
    }

    @Test
    void whatCannotBeReadIsSaidWithTheFilesName() throws IOException {
        assertThatThrownBy(() -> config("{").login("r.example"))
                .hasMessageContaining("config.json")
                .hasMessageContaining("log in anew");
        assertThatThrownBy(() -> config("{\"auths\": {\"r.example\": {\"auth\": \"%%%\"}}}")
                        .login("r.example"))
                .hasMessageContaining("config.json");
        assertThatThrownBy(() -> config("{\"credHelpers\": {\"r.example\": \"../../bin/sh\"}}")
                        .login("r.example"))
                .hasMessageContaining("no usable name");
    }

    @Test
    void aLoginDoesNotShowItsSecret() {
        assertThat(new Login("me", "pw", false).toString()).doesNotContain("pw");
    }
}
