package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What hydra needs of an Ollama, whichever it is. */
@Timeout(300)
abstract class OllamaContract {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static DialogFixture daemon;

    private static String url = "";
    private static String model = "";

    @BeforeAll
    static void open() {
        daemon = DialogFixture.open(folder);
    }

    @AfterAll
    static void close() {
        daemon.close();
    }

    static void use(String where, String name) {
        url = where;
        model = name;
    }

    private Dialog dialog(String id) {
        return daemon.dialogs()
                .open(getClass().getSimpleName() + "-" + id, ModelRef.parse("ollama:" + model), DialogFixture.at(url));
    }

    @Test
    void itListsAndDescribesItsModels() {
        var endpoint = DialogFixture.at(url);
        var listing = daemon.models().list(endpoint);
        assertThat(listing.failures()).isEmpty();
        assertThat(listing.models())
                .anySatisfy(m -> assertThat(m.model().toString()).startsWith("ollama:" + model));
        var info = daemon.models().find(ModelRef.parse("ollama:" + model), endpoint);
        assertThat(info.context()).isPositive();
        assertThat(info.abilities()).contains("completion");
        assertThat(info.remote()).isFalse();
    }

    @Test
    void itAnswersTokenByTokenAndCountsThem() {
        var tokens = new ArrayList<String>();
        var dialog = dialog("tokens");
        var answer = dialog.say("please list the files", tokens::add);
        assertThat(answer.content()).isNotBlank();
        assertThat(tokens).hasSizeGreaterThan(1);
        assertThat(dialog.usage().answerTokens()).isPositive();
        assertThat(dialog.usage().questionTokens()).isPositive();
        assertThat(dialog.say("and again", tokens::add).content()).isNotBlank();
    }

    @Test
    void aModelThatIsNotThereIsSaidSo() {
        var endpoint = DialogFixture.at(url);
        var missing = ModelRef.parse("ollama:hydra-has-no-such-model");
        assertThatThrownBy(() -> daemon.models().find(missing, endpoint))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
        assertThatThrownBy(() ->
                        daemon.dialogs().open("missing", missing, endpoint).say("hello", _ -> {}))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
        assertThatThrownBy(() ->
                        daemon.models().provider(missing).pull(Operation.silent(), endpoint, "hydra-has-no-such-model"))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("; ");
    }

    @Test
    void itCanBeStopped() throws Exception {
        var began = new CountDownLatch(1);
        var dialog = dialog("stopped");
        var asking = Thread.ofPlatform().start(() -> {
            try {
                dialog.say("please tell me a long story about the files", _ -> began.countDown());
            } catch (HydraException e) {
                // as it is told to
            }
        });
        assertThat(began.await(60, TimeUnit.SECONDS)).isTrue();
        asking.interrupt();
        assertThat(asking.join(Duration.ofSeconds(10))).isTrue();
        assertThat(dialog.say("please list the files", _ -> {}).content()).isNotBlank();
    }

    @Test
    void itIsWarmedUp() {
        var endpoint = DialogFixture.at(url);
        var ref = ModelRef.parse("ollama:" + model);
        assertThat(daemon.models().warmUp(ref, endpoint)).isPositive();
        assertThat(daemon.models().find(ref, endpoint).loaded()).isTrue();
    }
}
