package dev.hydravisor.launch;

import java.time.Duration;
import java.util.regex.Pattern;
import org.springframework.boot.convert.DurationStyle;

/** So many in a span of time, written {@code 60/1m}: as many may come at once, and they come back evenly over the span. */
public record Rate(long count, Duration span) {
    private static final Pattern FORM = Pattern.compile("([0-9]{1,9})/([0-9]+(?:ms|s|m|h|d))");

    /** Reads {@code 60/1m}. */
    public static Rate valueOf(String text) {
        var match = FORM.matcher(text);
        if (!match.matches() || Long.parseLong(match.group(1)) == 0) {
            throw new IllegalArgumentException("`" + text + "` is no rate; write it as 60/1m");
        }
        return new Rate(Long.parseLong(match.group(1)), DurationStyle.SIMPLE.parse(match.group(2)));
    }

    @Override
    public String toString() {
        return count + "/" + DurationStyle.SIMPLE.print(span, unit());
    }

    private java.time.temporal.ChronoUnit unit() {
        var millis = span.toMillis();
        if (millis % 1000 != 0) {
            return java.time.temporal.ChronoUnit.MILLIS;
        }
        return millis % 60_000 == 0 ? java.time.temporal.ChronoUnit.MINUTES : java.time.temporal.ChronoUnit.SECONDS;
    }
}
