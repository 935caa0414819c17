package dev.hydravisor.host;

import dev.hydravisor.operation.HydraException;
import java.util.Locale;
import java.util.regex.Pattern;

/** Sizes as people type them. */
public final class Mebibytes {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,9})(?:([MGT])(?:i?B)?)?", Pattern.CASE_INSENSITIVE);

    private Mebibytes() {}

    /**
     * A size such as {@code 512M} or {@code 2G}, in MiB; a bare number is MiB.
     *
     * @param before stands before the text where an error names it, such as {@code "--memory "}
     * @throws HydraException USAGE for what is none
     */
    public static long of(String before, String text) {
        var match = SIZE.matcher(text);
        if (!match.matches() || Long.parseLong(match.group(1)) == 0) {
            throw HydraException.usage("`" + before + PlainText.shorten(text) + "` is no size; write it as 512M or 4G");
        }
        var number = Long.parseLong(match.group(1));
        var unit = match.group(2) == null ? "M" : match.group(2).toUpperCase(Locale.ROOT);
        return switch (unit) {
            case "G" -> number << 10;
            case "T" -> number << 20;
            default -> number;
        };
    }

    /** As {@link #of}, in whole GiB. */
    public static long gibibytes(String before, String text) {
        var mebibytes = of(before, text);
        if (mebibytes % 1024 != 0) {
            throw HydraException.usage("`" + before + PlainText.shorten(text) + "` is no whole number of GiB");
        }
        return mebibytes / 1024;
    }
}
