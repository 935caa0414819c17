package dev.hydravisor.dashboard;

import dev.hydravisor.instance.Usage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** What instances used of late. Belongs to one thread; what it hands out does not change. */
final class Meters {
    static final int KEPT = 20;
    private static final String BARS = "▁▂▃▄▅▆▇█";

    /**
     * What one instance used, the oldest first.
     *
     * @param cpu in processors; one less than of memory, for it is what lies between two looks
     * @param memory of the host, bytes
     */
    record Reading(List<Double> cpu, List<Long> memory) {
        static final Reading NONE = new Reading(List.of(), List.of());
    }

    private record Look(long at, Usage usage) {}

    private final Map<UUID, Deque<Look>> looks = new HashMap<>();

    /** Takes in what is used at {@code now}, in nanoseconds of a steady clock; what no longer runs is forgotten. */
    Map<UUID, Reading> take(Map<UUID, Usage> usages, long now) {
        looks.keySet().retainAll(usages.keySet());
        usages.forEach((id, usage) -> {
            var mine = looks.computeIfAbsent(id, _ -> new ArrayDeque<>());
            if (!mine.isEmpty() && mine.getLast().usage().cpuNanos() > usage.cpuNanos()) {
                // It was started anew since.
                mine.clear();
            }
            mine.addLast(new Look(now, usage));
            if (mine.size() > KEPT + 1) {
                mine.removeFirst();
            }
        });
        var readings = new HashMap<UUID, Reading>();
        looks.forEach((id, of) -> readings.put(id, reading(List.copyOf(of))));
        return readings;
    }

    private static Reading reading(List<Look> looks) {
        var cpu = new ArrayList<Double>();
        for (int i = 1; i < looks.size(); i++) {
            var before = looks.get(i - 1);
            var after = looks.get(i);
            cpu.add((double) (after.usage().cpuNanos() - before.usage().cpuNanos())
                    / Math.max(1, after.at() - before.at()));
        }
        return new Reading(cpu, looks.stream().map(l -> l.usage().memory()).toList());
    }

    /** The newest values as bars, at most {@code width} of them; the highest bar stands for {@code most}, or for the highest value when that is more. */
    static String spark(Collection<? extends Number> values, double most, int width) {
        var top = Math.max(
                most, values.stream().mapToDouble(Number::doubleValue).max().orElse(0));
        var line = new StringBuilder();
        values.stream()
                .skip(Math.max(0, values.size() - width))
                .forEach(value -> line.append(BARS.charAt(
                        top <= 0 ? 0 : (int) Math.min(7, Math.round(value.doubleValue() / top * 7)))));
        return line.toString();
    }

    /** A share of one processor, as {@code top} has it: two busy processors are 200%. */
    static String percent(double cpu) {
        return Math.round(cpu * 100) + "%";
    }
}
