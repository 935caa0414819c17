package dev.hydravisor.host;

/** Words for a terminal. */
public final class PlainText {
    private PlainText() {}

    /**
     * Makes foreign text safe for one line of a user's terminal: each control character (escape sequences, newlines, C1) becomes
     * {@code ?}.
     */
    public static String safe(String text) {
        var safe = new StringBuilder(text.length());
        text.codePoints().forEach(c -> safe.appendCodePoint(isControl(c) ? '?' : c));
        return safe.toString();
    }

    /** As {@link #safe}, cut to some 60 characters: for naming in an error what a user typed. */
    public static String shorten(String text) {
        var safe = safe(text);
        return safe.codePointCount(0, safe.length()) <= 60
                ? safe
                : safe.substring(0, safe.offsetByCodePoints(0, 59)) + "…";
    }

    /** Bytes as a person reads them: {@code 14.2 MiB}. */
    public static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        var units = "KMGTPE";
        var value = bytes / 1024.0;
        int unit = 0;
        while (value >= 1024 && unit < units.length() - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(java.util.Locale.ROOT, "%.1f %ciB", value, units.charAt(unit));
    }

    /** How long something took: {@code 12.4 s}, {@code 0.07 s}. */
    public static String seconds(java.time.Duration elapsed) {
        var seconds = elapsed.toMillis() / 1000.0;
        return String.format(java.util.Locale.ROOT, seconds < 1 ? "%.2f s" : "%.1f s", seconds);
    }

    /** How long ago that was, in its largest unit: {@code 3m}, {@code 2d}. */
    public static String age(java.time.Instant then) {
        var seconds = Math.max(
                0, java.time.Duration.between(then, java.time.Instant.now()).toSeconds());
        if (seconds < 60) {
            return seconds + "s";
        }
        if (seconds < 3600) {
            return seconds / 60 + "m";
        }
        return seconds < 86_400 ? seconds / 3600 + "h" : seconds / 86_400 + "d";
    }

    private static boolean isControl(int c) {
        return Character.getType(c) == Character.CONTROL
                || Character.getType(c) == Character.LINE_SEPARATOR
                || Character.getType(c) == Character.PARAGRAPH_SEPARATOR
                || (c >= 0x202A && c <= 0x202E)
                || (c >= 0x2066 && c <= 0x2069);
    }
}
