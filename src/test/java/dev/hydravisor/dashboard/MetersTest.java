package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.instance.Usage;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class MetersTest {
    private static final long SECOND = 1_000_000_000L;
    private final Meters meters = new Meters();
    private final UUID id = UUID.randomUUID();

    private Meters.Reading take(long second, long cpuSeconds, long memory) {
        return meters.take(Map.of(id, new Usage(cpuSeconds * SECOND, memory)), second * SECOND)
                .getOrDefault(id, Meters.Reading.NONE);
    }

    @Test
    void whatLiesBetweenTwoLooksIsTheProcessorsUsed() {
        assertThat(take(0, 10, 5).cpu()).isEmpty();
        assertThat(take(2, 11, 6).cpu()).containsExactly(0.5);
        assertThat(take(4, 15, 7)).isEqualTo(new Meters.Reading(List.of(0.5, 2.0), List.of(5L, 6L, 7L)));
    }

    @Test
    void anInstanceStartedAnewBeginsAnew() {
        take(0, 10, 5);
        assertThat(take(2, 1, 6)).isEqualTo(new Meters.Reading(List.of(), List.of(6L)));
    }

    @Test
    void whatNoLongerRunsIsForgotten() {
        take(0, 10, 5);
        assertThat(meters.take(Map.of(), SECOND)).isEmpty();
        assertThat(take(2, 11, 6).cpu()).isEmpty();
    }

    @Test
    void onlyTheNewestAreKept() {
        Meters.Reading last = Meters.Reading.NONE;
        for (int i = 0; i < 100; i++) {
            last = take(i, i, i);
        }
        assertThat(last.cpu()).hasSize(Meters.KEPT);
        assertThat(last.memory()).endsWith(98L, 99L).hasSize(Meters.KEPT + 1);
    }

    @Test
    void aSparkLineShowsTheNewestAgainstTheMostThereIs() {
        assertThat(Meters.spark(List.of(0.0, 1.0, 2.0), 2, 8)).isEqualTo("▁▅█");
        assertThat(Meters.spark(List.of(9, 9, 0, 1), 2, 2)).isEqualTo("▁▂");
        assertThat(Meters.spark(List.of(4.0, 2.0), 2, 8))
                .as("more than there should be")
                .isEqualTo("█▅");
        assertThat(Meters.spark(List.<Long>of(), 2, 8)).isEmpty();
        assertThat(Meters.spark(List.of(0L), 0, 8)).as("no limit, nothing used").isEqualTo("▁");
    }
}
