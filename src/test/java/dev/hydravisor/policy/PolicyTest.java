package dev.hydravisor.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.beans.factory.support.StaticListableBeanFactory;

class PolicyTest {
    private static final Actor USER = Actor.user("ann");
    private static final Actor MODEL = Actor.model("ollama:tiny");
    private static final Actor TOKEN = Actor.token("ci");

    @TempDir
    private Path folder = Path.of("/");

    private @Nullable Path project;
    private StaticListableBeanFactory grants = new StaticListableBeanFactory();

    @ParameterizedTest
    @CsvSource({
        "user:ann, vm.create, ALLOW",
        "user:ann, recording.delete, ALLOW",
        "model:ollama:tiny, vm.create, DENY",
        "model:ollama:tiny, vm.start, DENY",
        "model:ollama:tiny, read_file, ALLOW",
        "model:ollama:tiny, read_screen, ALLOW",
        "model:ollama:tiny, run_command, ASK",
        "model:ollama:tiny, write_file, ASK",
        "model:ollama:tiny, something_new, DENY",
        "token:ci, vm.create, DENY",
        "token:ci, run_command, DENY",
    })
    void unlessRulesSayOtherwiseUsersDoAllModelsLookAndAskAndTokensDoNothing(String who, String name, Effect effect) {
        assertThat(judge(Actor.parse(who), Action.on(name, "web").subject("/x")).effect())
                .isEqualTo(effect);
    }

    @Test
    void whatNoRuleFitsIsDeniedAndTheRuleThatNearlyDidIsNamed() throws IOException {
        rules("""
                rules:
                  - rule: allow
                    who: token:ci
                    actions: vm.create
                    images: debian-*
                    max-cpus: 2
                    max-memory: 2G
                """);
        var vm = Action.on("vm.create", "web").image(Set.of("debian-13"));
        var decision = judge(TOKEN, vm.takes(4, 512, 0, List.of("default"), List.of(), List.of()));
        assertThat(decision.effect()).isEqualTo(Effect.DENY);
        assertThat(decision.reason()).isEqualTo("no rule allows it; " + folder + "/policy.yaml:2 has max-cpus: 2");
        assertThat(decision.rule()).isEmpty();
        assertThat(judge(TOKEN, vm.takes(2, 2048, 0, List.of("default"), List.of(), List.of())))
                .isEqualTo(new Decision(Effect.ALLOW, "a rule allows it", folder + "/policy.yaml:2"));
        assertThat(judge(TOKEN, vm.takes(2, 2049, 0, List.of(), List.of(), List.of()))
                        .effect())
                .isEqualTo(Effect.DENY);
        assertThat(judge(Actor.token("other"), vm).effect()).isEqualTo(Effect.DENY);
    }

    @Test
    void anyNumberOfProcessorsIsMoreThanALimit() throws IOException {
        rules("rules: [{rule: allow, who: 'token:*', max-cpus: 64, max-memory: 1T}]");
        var container = Action.on("container.create", "web");
        assertThat(judge(TOKEN, container.takes(64, 1024, 0, List.of("bridge"), List.of(), List.of()))
                        .effect())
                .isEqualTo(Effect.ALLOW);
        assertThat(judge(
                                TOKEN,
                                container.takes(
                                        Double.POSITIVE_INFINITY, 1024, 0, List.of("bridge"), List.of(), List.of()))
                        .effect())
                .isEqualTo(Effect.DENY);
        assertThat(judge(TOKEN, container.takes(1, Long.MAX_VALUE, 0, List.of("bridge"), List.of(), List.of()))
                        .effect())
                .isEqualTo(Effect.DENY);
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', '', '', true",
        "'', host, '', '', false",
        "'', '', /srv/data, '', false",
        "'', '', '', 8080, false",
        "'networks: [host]', host, '', '', true",
        "'networks: [bridge]', none, '', '', false",
        "'mounts: [/srv/*]', '', /srv/data, '', true",
        "'mounts: [/srv/*]', '', /srv/../etc, '', false",
        "'mounts: [/srv/*]', '', /srvx, '', false",
        "'ports: [8000-8100]', '', '', 8080, true",
        "'ports: [8000-8100]', '', '', 127.0.0.1:8080, true",
        "'ports: [8000-8100]', '', '', 8101, false",
        "'ports: [\"127.0.0.1:8000-8100\"]', '', '', 8080, false",
        "'ports: [\"127.0.0.1:8000-8100\"]', '', '', 127.0.0.1:8080/udp, true",
        "'ports: [\"*\"]', '', '', [::1]:1, true",
    })
    void whatReachesThisHostMustBeNamedByTheRuleThatAllowsIt(
            String condition, String network, String mount, String port, boolean allowed) throws IOException {
        rules("rules:\n  - rule: allow\n    who: token:ci\n    " + condition + "\n");
        assertThat(judge(TOKEN, container(network, mount, port)).effect())
                .isEqualTo(allowed ? Effect.ALLOW : Effect.DENY);
    }

    @ParameterizedTest
    @CsvSource({
        "'mounts: [/etc/*]', bridge, /etc/ssl, '', true",
        "'mounts: [/etc/*]', bridge, /, '', true",
        "'mounts: [/etc/*]', bridge, /srv/../etc/ssl, '', true",
        "'mounts: [/etc/*]', bridge, /srv, '', false",
        "'{networks: [host], mounts: [/etc/*]}', host, /srv, '', true",
        "'{max-cpus: 1, max-memory: 1T}', bridge, '', '', true",
        "'{max-cpus: 8, max-memory: 1T}', bridge, '', '', false",
        "'ports: [1-1023]', bridge, '', 80, true",
        "'ports: [1-1023]', bridge, '', 8080, false",
        "'images: [debian*]', bridge, '', '', true",
        "'images: [alpine*]', bridge, '', '', false",
    })
    void aRuleThatDeniesNeedMeetAPart(String condition, String network, String mount, String port, boolean denied)
            throws IOException {
        var body = condition.startsWith("{") ? condition.substring(1, condition.length() - 1) : condition;
        rules("rules: [{rule: deny, " + body + "}]");
        assertThat(judge(USER, container(network, mount, port)).effect())
                .isEqualTo(denied ? Effect.DENY : Effect.ALLOW);
    }

    @Test
    void aMountIsWhereItLeadsTo() throws IOException {
        var link = Files.createSymbolicLink(folder.resolve("link"), Path.of("/etc"));
        rules("rules: [{rule: allow, who: 'token:ci', mounts: ['" + folder + "/*']}]");
        assertThat(judge(TOKEN, container("none", link.toString(), "")).effect())
                .isEqualTo(Effect.DENY);
        assertThat(judge(TOKEN, container("none", folder + "/plain", "")).effect())
                .isEqualTo(Effect.ALLOW);
        rules("rules: [{rule: deny, mounts: ['/etc*']}]");
        assertThat(judge(USER, container("none", link.toString(), "")).effect()).isEqualTo(Effect.DENY);
    }

    @Test
    void anImageByItsPathOrUrlMustBeNamed() throws IOException {
        rules("rules: [{rule: allow, who: 'token:ci'}]");
        var create = Action.on("vm.create", "web");
        assertThat(judge(TOKEN, create.image(Set.of("debian-13"))).effect()).isEqualTo(Effect.ALLOW);
        assertThat(judge(TOKEN, create.image(Set.of("/dev/sda"))).effect()).isEqualTo(Effect.DENY);
        assertThat(judge(TOKEN, create.image(Set.of("http://x/y"))).effect()).isEqualTo(Effect.DENY);
        rules("rules: [{rule: allow, who: 'token:ci', images: ['/srv/*']}]");
        assertThat(judge(TOKEN, create.image(Set.of("/srv/a.qcow2"))).effect()).isEqualTo(Effect.ALLOW);
        assertThat(judge(TOKEN, create.image(Set.of("/srv/../dev/sda"))).effect())
                .isEqualTo(Effect.DENY);
    }

    @Test
    void theFirstRuleThatFitsCounts() throws IOException {
        rules("""
                rules:
                  - rule: allow
                    actions: [run_*]
                    pattern: "ls( -[a-z]+)?"
                  - {rule: ask, actions: [read_file], instances: ["prod-*"]}
                """);
        assertThat(tool("run_command", "ls -la")).isEqualTo(Effect.ALLOW);
        assertThat(judge(MODEL, Action.on("read_file", "prod-1").subject("/x")).effect())
                .isEqualTo(Effect.ASK);
        assertThat(judge(MODEL, Action.on("read_file", "dev").subject("/x")).effect())
                .isEqualTo(Effect.ALLOW);
    }

    @Test
    void aPatternThatAllowsMustMatchTheWholeCommand() throws IOException {
        rules("rules: [{rule: allow, actions: [run_command], pattern: ls}]");
        assertThat(tool("run_command", "ls; rm -rf /")).isEqualTo(Effect.ASK);
        assertThat(tool("run_command", "ls\nrm -rf /")).isEqualTo(Effect.ASK);
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
        var decision = judge(MODEL, Action.on("run_command", "web").subject("cd /; rm -rf *"));
        assertThat(decision).isEqualTo(new Decision(Effect.DENY, "nothing is removed here", folder + "/policy.yaml:3"));
        assertThat(tool("run_command", "anything else")).isEqualTo(Effect.ALLOW);
    }

    @Test
    void whatATokenWasMadeForIsAllowedUnlessAFileDeniesIt() throws IOException {
        grants.addBean("tokens", (Grants) actor -> actor.equals(TOKEN)
                ? List.of(Rule.allow("token `ci`", List.of("vm.*"), List.of("debian*"), 2.0, 1024L))
                : List.of());
        var create = Action.on("vm.create", "web")
                .image(Set.of("debian-13"))
                .takes(2, 1024, 0, List.of("default"), List.of(), List.of());
        assertThat(judge(TOKEN, create)).isEqualTo(new Decision(Effect.ALLOW, "a rule allows it", "token `ci`"));
        assertThat(judge(Actor.token("other"), create).effect()).isEqualTo(Effect.DENY);
        rules("rules: [{rule: deny, who: 'token:*', instances: [web]}]");
        assertThat(judge(TOKEN, create).effect()).isEqualTo(Effect.DENY);
    }

    @Test
    void aProjectsOwnPolicyCanOnlyTighten() throws IOException {
        var policy = Files.createDirectories(folder.resolve("project/.hydra")).resolve("policy.yaml");
        project = folder.resolve("project");
        Files.writeString(policy, """
                rules:
                  - {rule: ask, actions: read_file}
                  - {rule: deny, actions: vm.delete, reason: keep them}
                """);
        assertThat(tool("read_file", "/x")).isEqualTo(Effect.ASK);
        assertThat(tool("run_command", "ls")).isEqualTo(Effect.ASK);
        assertThat(judge(USER, Action.on("vm.delete", "web")))
                .isEqualTo(new Decision(Effect.DENY, "keep them", policy + ":3"));
        assertThat(judge(TOKEN, Action.on("vm.start", "web")).effect()).isEqualTo(Effect.DENY);
        Files.writeString(policy, "rules:\n\n  - rule: allow\n    who: token:ci\n");
        assertThatThrownBy(() -> judge(TOKEN, Action.on("vm.start", "web")))
                .hasMessageContaining(policy + "` cannot be read: line 3: ")
                .hasMessageContaining("can only deny and ask");
    }

    @Test
    void aFileThatCannotBeReadAllowsNothing() throws IOException {
        for (var bad : new String[] {
            "rules: [{rule: permit}]",
            "rules: [{rule: allow, tool: [x]}]",
            "rules: [{actions: [x]}]",
            "rules: [{rule: deny, pattern: '('}]",
            "rules: [",
            "rules: {}",
            "- rule: deny",
            "# " + "x".repeat(1 << 20),
        }) {
            rules(bad);
            assertThatThrownBy(() -> tool("read_file", "/x"))
                    .as(bad)
                    .isInstanceOfSatisfying(
                            HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DENIED))
                    .hasMessageContaining("policy.yaml` cannot be read: line 1: ")
                    .hasMessageEndingWith("nothing is allowed until it is right");
        }
    }

    @Test
    void aChangeHoldsFromTheNextActionOn() throws IOException {
        for (var effect : List.of("deny", "allo1", "allow")) {
            rules("rules: [{rule: " + effect.replace('1', 'w') + ", actions: run_command}]");
            assertThat(tool("run_command", "ls").name()).isEqualToIgnoringCase(effect.replace('1', 'w'));
        }
    }

    @Test
    void aFileOfCommentsHoldsNoRules() throws IOException {
        rules("# nothing yet\n\n");
        assertThat(tool("read_file", "/x")).isEqualTo(Effect.ALLOW);
    }

    private static Action container(String network, String mount, String port) {
        return Action.on("container.create", "web")
                .image(Set.of("debian:13", "docker.io/library/debian:13"))
                .takes(
                        2,
                        512,
                        0,
                        network.isEmpty() ? List.of() : List.of(network),
                        mount.isEmpty() ? List.of() : List.of(mount),
                        port.isEmpty() ? List.of() : List.of(port));
    }

    private void rules(String yaml) throws IOException {
        Files.writeString(folder.resolve("policy.yaml"), yaml);
    }

    private Effect tool(String tool, String subject) {
        return judge(MODEL, Action.on(tool, "web").subject(subject)).effect();
    }

    private Decision judge(Actor actor, Action action) {
        return new Policy(new HydraHome(folder), grants.getBeanProvider(Grants.class))
                .judge(Request.of(actor, project), action);
    }
}
