package dev.hydravisor.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Policy.Effect;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PolicyTest {
    @TempDir
    private Path folder = Path.of("/");

    @Test
    void unlessTheUserSaysOtherwiseReadingIsAllowedAndAllElseAskedFor() {
        assertThat(judge("read_file", "/etc/passwd")).isEqualTo(Effect.ALLOW);
        assertThat(judge("run_command", "ls")).isEqualTo(Effect.ASK);
        assertThat(judge("write_file", "/tmp/x")).isEqualTo(Effect.ASK);
        assertThat(judge("something_new", "")).isEqualTo(Effect.ASK);
    }

    @Test
    void theFirstRuleThatFitsCounts() throws IOException {
        rules("""
                rules:
                  - rule: allow
                    tools: [run_*]
                    pattern: "ls( -[a-z]+)?"
                  - {rule: ask, tools: [read_file], instances: ["prod-*"]}
                """);
        assertThat(judge("run_command", "ls -la")).isEqualTo(Effect.ALLOW);
        assertThat(policy().judge("read_file", "/x", "prod-1").effect()).isEqualTo(Effect.ASK);
        assertThat(policy().judge("read_file", "/x", "dev").effect()).isEqualTo(Effect.ALLOW);
    }

    @Test
    void aPatternThatAllowsMustMatchTheWholeCommand() throws IOException {
        rules("rules: [{rule: allow, tools: [run_command], pattern: ls}]");
        assertThat(judge("run_command", "ls; rm -rf /")).isEqualTo(Effect.ASK);
        assertThat(judge("run_command", "ls\nrm -rf /")).isEqualTo(Effect.ASK);
    }

    @Test
    void whatDeniesWinsWhereverItStandsAndMatchesAnyPart() throws IOException {
        rules("""
                rules:
                  - rule: allow
                  - rule: deny
                    pattern: 'rm\\s+-rf'
                    reason: nothing is removed here
                """);
        var verdict = policy().judge("run_command", "cd /; rm -rf *", "web");
        assertThat(verdict.effect()).isEqualTo(Effect.DENY);
        assertThat(verdict.reason()).isEqualTo("nothing is removed here");
        assertThat(judge("run_command", "anything else")).isEqualTo(Effect.ALLOW);
    }

    @Test
    void aFileThatCannotBeReadAllowsNothing() throws IOException {
        for (var bad : new String[] {
            "rules: [{rule: permit}]",
            "rules: [{rule: allow, tool: [x]}]",
            "rules: [{tools: [x]}]",
            "rules: [{rule: deny, pattern: '('}]",
            "rules: [",
        }) {
            rules(bad);
            assertThatThrownBy(() -> judge("read_file", "/x"))
                    .as(bad)
                    .isInstanceOf(HydraException.class)
                    .hasMessageContaining("policy.yaml")
                    .hasMessageEndingWith("nothing is allowed until it is right");
        }
    }

    @Test
    void aFileOfCommentsHoldsNoRules() throws IOException {
        rules("# nothing yet\n\n");
        assertThat(judge("read_file", "/x")).isEqualTo(Effect.ALLOW);
    }

    private void rules(String yaml) throws IOException {
        Files.writeString(folder.resolve("policy.yaml"), yaml);
    }

    private Effect judge(String tool, String subject) {
        return policy().judge(tool, subject, "web").effect();
    }

    private Policy policy() {
        return new Policy(new HydraHome(folder));
    }
}
