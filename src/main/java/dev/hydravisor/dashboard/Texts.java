package dev.hydravisor.dashboard;

import dev.hydravisor.host.PlainText;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Values as the dashboard writes them. */
final class Texts {
    private Texts() {}

    static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    /** How long ago; coarse, so that a screen at rest stays as it is for a minute. */
    static String age(Instant then, Instant now) {
        var minutes = Math.max(0, Duration.between(then, now).toMinutes());
        if (minutes < 1) {
            return "<1m";
        }
        return minutes < 60 ? minutes + "m" : minutes < 1440 ? minutes / 60 + "h" : minutes / 1440 + "d";
    }

    static String length(double seconds) {
        var whole = Math.round(seconds);
        return whole < 60
                ? whole + "s"
                : whole < 3600 ? whole / 60 + "m" + whole % 60 + "s" : whole / 3600 + "h" + whole % 3600 / 60 + "m";
    }

    static String amount(long done, long total, String unit) {
        if (unit.equals("bytes")) {
            return PlainText.bytes(done) + (total < 0 ? "" : " of " + PlainText.bytes(total));
        }
        return done + (total < 0 ? "" : " of " + total) + " " + unit;
    }

    /** Lines of at most {@code width} columns, broken at blanks where there are any. */
    static List<String> wrap(String text, int width) {
        var lines = new ArrayList<String>();
        for (var line : text.split("\n", -1)) {
            var rest = line;
            while (Frame.width(rest) > width) {
                int end = 0;
                int used = 0;
                int blank = -1;
                while (end < rest.length()) {
                    var c = rest.codePointAt(end);
                    used += Frame.width(Character.toString(c));
                    if (used > width) {
                        break;
                    }
                    if (c == ' ') {
                        blank = end;
                    }
                    end += Character.charCount(c);
                }
                var at = blank > 0 ? blank : Math.max(end, Character.charCount(rest.codePointAt(0)));
                lines.add(rest.substring(0, at));
                rest = rest.substring(at).stripLeading();
            }
            lines.add(rest);
        }
        return lines;
    }
}
