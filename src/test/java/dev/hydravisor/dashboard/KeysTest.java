package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KeysTest {
    @Test
    void theReferencePageIsThatOfTheTable() throws IOException {
        var page = Path.of("docs/keys.md");
        if (Boolean.getBoolean("dashboard.write")) {
            Files.writeString(page, Keys.document());
        }
        assertThat(page).content().isEqualTo(Keys.document());
    }

    @Test
    void aKeyDoesNothingInAViewThatItDoesNotBelongTo() {
        var keys = new Keys(Map.of());
        assertThat(keys.action("n", View.INSTANCES)).isEqualTo(Action.CREATE);
        assertThat(keys.action("n", View.MODELS)).isNull();
    }

    @Test
    void anActionCanHaveOtherKeys() {
        var keys = new Keys(Map.of("delete", List.of("D", "delete")));
        assertThat(keys.action("D", View.INSTANCES)).isEqualTo(Action.DELETE);
        assertThat(keys.action("x", View.INSTANCES)).isNull();
        assertThat(keys.label(Action.DELETE)).isEqualTo("D");
    }

    @Test
    void whatCannotBeBoundIsToldWithTheRemedy() {
        refused(Map.of("destroy", List.of("D")), "`destroy`, which is no action; docs/keys.md lists them");
        refused(Map.of("delete", List.of("hyper-x")), "`hyper-x` of dashboard.keys.delete is no key");
        refused(Map.of("delete", List.of("n")), "the key `n` is bound to both");
        refused(Map.of("quit", List.of(), "back", List.of()), "leaves no key to leave with");
    }

    private static void refused(Map<String, List<String>> own, String why) {
        assertThatThrownBy(() -> new Keys(own))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining(why);
    }
}
