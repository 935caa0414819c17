package dev.hydravisor.dashboard;

import com.googlecode.lanterna.SGR;
import com.googlecode.lanterna.TextColor;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How each role looks: colours in as many shades as the terminal has, none at all under {@code NO_COLOR}. A look is written as words:
 * {@code bold}, {@code italic}, {@code underline}, {@code reverse}, a foreground, and {@code on} with a background; a colour is {@code #rrggbb} or
 * {@code default}. The background of the terminal itself is never painted.
 */
final class Theme {
    /** Colours a terminal can show. */
    enum Depth {
        NONE,
        SIXTEEN,
        INDEXED,
        TRUE
    }

    record Look(TextColor foreground, TextColor background, Set<SGR> attributes) {}

    private static final Pattern HEX = Pattern.compile("#[0-9a-fA-F]{6}");

    private static final Map<Role, String> DARK = Map.of(
            Role.TEXT, "default",
            Role.DIM, "#8a8f98",
            Role.TITLE, "bold #e5e9f0",
            Role.LABEL, "#8a8f98",
            Role.SELECTED, "bold #ffffff on #2f4b6e",
            Role.MARKED, "default on #303640",
            Role.ACCENT, "#7fb4e6",
            Role.GOOD, "#8fc98f",
            Role.BUSY, "#e0bd6f",
            Role.BAD, "bold #e58080");

    private static final Map<Role, String> LIGHT = Map.of(
            Role.TEXT, "default",
            Role.DIM, "#6b7076",
            Role.TITLE, "bold #1c2024",
            Role.LABEL, "#6b7076",
            Role.SELECTED, "bold #0b1a2b on #bcd6f5",
            Role.MARKED, "default on #e2e5e9",
            Role.ACCENT, "#0b5cad",
            Role.GOOD, "#1d7a2f",
            Role.BUSY, "#8a5a00",
            Role.BAD, "bold #b3261e");

    /** What carries the meaning where there are no colours. */
    private static final Map<Role, Set<SGR>> PLAIN = Map.of(
            Role.TITLE, EnumSet.of(SGR.BOLD),
            Role.SELECTED, EnumSet.of(SGR.REVERSE),
            Role.MARKED, EnumSet.of(SGR.UNDERLINE),
            Role.BAD, EnumSet.of(SGR.BOLD));

    private static final Map<Role, Look> SIXTEEN = sixteen();

    private final Map<Role, Look> looks = new EnumMap<>(Role.class);

    /**
     * @param own themes of the user's: by name, looks by role; a role that is left out looks as in {@code dark}
     * @throws HydraException USAGE for a theme, a role or a look that is none
     */
    Theme(String name, Map<String, Map<String, String>> own, Depth depth) {
        var words = new EnumMap<>(name.equals("light") ? LIGHT : DARK);
        if (own.containsKey(name)) {
            own.getOrDefault(name, Map.of()).forEach((role, look) -> words.put(role(name, role), look));
        } else if (!name.equals("dark") && !name.equals("light")) {
            var all = new TreeMap<String, Object>(own);
            all.put("dark", "");
            all.put("light", "");
            throw HydraException.usage("there is no theme `" + PlainText.shorten(name)
                    + "`; set dashboard.theme to one of " + String.join(", ", all.keySet()));
        }
        for (var role : Role.values()) {
            looks.put(role, look(role, words.getOrDefault(role, "default"), depth, own.containsKey(name)));
        }
    }

    Look look(Role role) {
        return looks.getOrDefault(role, new Look(TextColor.ANSI.DEFAULT, TextColor.ANSI.DEFAULT, Set.of()));
    }

    /** What the environment says of the terminal. */
    static Depth depth(@Nullable String term, @Nullable String colorTerm, @Nullable String noColor) {
        if ((noColor != null && !noColor.isEmpty()) || "dumb".equals(term)) {
            return Depth.NONE;
        }
        if ("truecolor".equals(colorTerm) || "24bit".equals(colorTerm)) {
            return Depth.TRUE;
        }
        return term != null && term.contains("256color") ? Depth.INDEXED : Depth.SIXTEEN;
    }

    private static Look look(Role role, String words, Depth depth, boolean own) {
        if (depth == Depth.NONE) {
            return new Look(TextColor.ANSI.DEFAULT, TextColor.ANSI.DEFAULT, PLAIN.getOrDefault(role, Set.of()));
        }
        var sixteen = SIXTEEN.get(role);
        if (depth == Depth.SIXTEEN && sixteen != null && !own) {
            return sixteen;
        }
        TextColor foreground = TextColor.ANSI.DEFAULT;
        TextColor background = TextColor.ANSI.DEFAULT;
        var attributes = EnumSet.noneOf(SGR.class);
        var on = false;
        for (var word : words.strip().split("\\s+", -1)) {
            switch (word) {
                case "bold", "italic", "underline", "reverse" ->
                    attributes.add(SGR.valueOf(word.toUpperCase(Locale.ROOT)));
                case "on" -> on = true;
                default -> {
                    var colour = colour(word, depth);
                    if (on) {
                        background = colour;
                    } else {
                        foreground = colour;
                    }
                }
            }
        }
        return new Look(foreground, background, attributes);
    }

    private static TextColor colour(String word, Depth depth) {
        if (word.equals("default")) {
            return TextColor.ANSI.DEFAULT;
        }
        if (!HEX.matcher(word).matches()) {
            throw HydraException.usage(
                    "`" + PlainText.shorten(word) + "` is no colour; write #rrggbb or default in dashboard.themes");
        }
        var rgb = Integer.parseInt(word.substring(1), 16);
        int red = rgb >> 16;
        int green = rgb >> 8 & 0xFF;
        int blue = rgb & 0xFF;
        return switch (depth) {
            case TRUE -> new TextColor.RGB(red, green, blue);
            case INDEXED -> TextColor.Indexed.fromRGB(red, green, blue);
            default -> nearest(red, green, blue);
        };
    }

    private static TextColor nearest(int red, int green, int blue) {
        TextColor best = TextColor.ANSI.DEFAULT;
        long least = Long.MAX_VALUE;
        for (var colour : TextColor.ANSI.values()) {
            if (colour != TextColor.ANSI.DEFAULT) {
                long r = colour.getRed() - red;
                long g = colour.getGreen() - green;
                long b = colour.getBlue() - blue;
                if (r * r + g * g + b * b < least) {
                    least = r * r + g * g + b * b;
                    best = colour;
                }
            }
        }
        return best;
    }

    private static Role role(String theme, String name) {
        try {
            return Role.valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw HydraException.usage("dashboard.themes." + PlainText.shorten(theme) + " has `"
                    + PlainText.shorten(name) + "`; roles are "
                    + java.util.Arrays.toString(Role.values()).toLowerCase(Locale.ROOT));
        }
    }

    /** The sixteen colours are the user's own choice: those that are legible on dark and light grounds alike, each by its name. */
    private static Map<Role, Look> sixteen() {
        var looks = new EnumMap<Role, Look>(Role.class);
        for (var role : Role.values()) {
            TextColor colour =
                    switch (role) {
                        case ACCENT -> TextColor.ANSI.CYAN;
                        case GOOD -> TextColor.ANSI.GREEN;
                        case BUSY -> TextColor.ANSI.YELLOW;
                        case BAD -> TextColor.ANSI.RED;
                        case DIM, LABEL -> TextColor.ANSI.BLACK_BRIGHT;
                        default -> TextColor.ANSI.DEFAULT;
                    };
            looks.put(role, new Look(colour, TextColor.ANSI.DEFAULT, PLAIN.getOrDefault(role, Set.of())));
        }
        return looks;
    }
}
