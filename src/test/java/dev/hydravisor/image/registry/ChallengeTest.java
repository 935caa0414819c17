package dev.hydravisor.image.registry;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ChallengeTest {
    @Test
    void aBearerChallengeHasItsRealmServiceAndScope() {
        assertThat(
                        Challenge.parse(
                                List.of(
                                        "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/alpine:pull,push\"")))
                .containsExactly(new Challenge(
                        "bearer",
                        Map.of(
                                "realm",
                                "https://auth.docker.io/token",
                                "service",
                                "registry.docker.io",
                                "scope",
                                "repository:library/alpine:pull,push")));
    }

    @Test
    void severalChallengesMayShareAHeaderOrHaveOneEach() {
        var one = Challenge.parse(List.of("Basic realm=\"a, b\" , Bearer realm=x , service = \"y\""));
        assertThat(one).extracting(Challenge::scheme).containsExactly("basic", "bearer");
        assertThat(one.get(0).parameters()).isEqualTo(Map.of("realm", "a, b"));
        assertThat(one.get(1).parameters()).isEqualTo(Map.of("realm", "x", "service", "y"));

        assertThat(Challenge.parse(List.of("Negotiate", "Basic realm=r")))
                .extracting(Challenge::scheme)
                .containsExactly("negotiate", "basic");
    }

    @Test
    void quotedQuotesAreUndone() {
        assertThat(Challenge.parse(List.of("Basic realm=\"say \\\"hi\\\" \\\\ \""))
                        .getFirst()
                        .parameters())
                .containsEntry("realm", "say \"hi\" \\ ");
    }

    @Test
    void rubbishGivesNothingAndDoesNotHang() {
        assertThat(Challenge.parse(List.of("", ",,,", "\"", "=", "\u0000"))).isEmpty();
        assertThat(Challenge.parse(List.of("realm=\"x\"")))
                .allSatisfy(c -> assertThat(c.parameters()).isEmpty());
        assertThat(Challenge.parse(List.of("Bearer realm=\"unclosed"))).hasSize(2);
    }
}
