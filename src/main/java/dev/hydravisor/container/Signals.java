package dev.hydravisor.container;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Linux's signals by name. */
final class Signals {
    private static final int SIGTERM = 15;
    private static final int SIGRTMIN = 34;
    private static final int SIGRTMAX = 64;
    private static final Map<String, Integer> NUMBERS = Map.ofEntries(
            Map.entry("HUP", 1),
            Map.entry("INT", 2),
            Map.entry("QUIT", 3),
            Map.entry("ABRT", 6),
            Map.entry("KILL", 9),
            Map.entry("USR1", 10),
            Map.entry("USR2", 12),
            Map.entry("PIPE", 13),
            Map.entry("ALRM", 14),
            Map.entry("TERM", SIGTERM),
            Map.entry("CHLD", 17),
            Map.entry("CONT", 18),
            Map.entry("STOP", 19),
            Map.entry("WINCH", 28),
            Map.entry("PWR", 30));

    private Signals() {}

    /**
     * The number of a signal written as images write it: {@code SIGINT}, {@code INT}, {@code 2}, {@code SIGRTMIN+3}; SIGTERM for
     * null or nothing.
     */
    static int number(@Nullable String text) {
        if (text == null || text.isBlank()) {
            return SIGTERM;
        }
        var name = text.strip().toUpperCase(Locale.ROOT);
        name = name.startsWith("SIG") ? name.substring(3) : name;
        if (name.matches("[0-9]{1,2}")) {
            return Integer.parseInt(name);
        }
        if (name.matches("RTMIN(\\+[0-9]{1,2})?")) {
            return SIGRTMIN + (name.length() > 6 ? Integer.parseInt(name.substring(6)) : 0);
        }
        if (name.matches("RTMAX(-[0-9]{1,2})?")) {
            return SIGRTMAX - (name.length() > 6 ? Integer.parseInt(name.substring(6)) : 0);
        }
        var number = NUMBERS.get(name);
        if (number == null) {
            throw HydraException.usage("`" + PlainText.shorten(text) + "` is no signal; write it as SIGTERM or 15");
        }
        return number;
    }
}
