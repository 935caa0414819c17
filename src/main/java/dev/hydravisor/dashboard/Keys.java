package dev.hydravisor.dashboard;

import com.googlecode.lanterna.input.KeyStroke;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Which key does what: the table of {@link Action}, as changed by config.yaml. */
final class Keys {
    /** Ends the line that is typed, whatever is bound. */
    static final String ENTER = "enter";

    static final String ESCAPE = "esc";

    private static final Pattern NAME = Pattern.compile(
            "\\P{C}|space|enter|tab|shift-tab|esc|backspace|delete|insert|up|down|left|right|home|end|pageup|pagedown|f([1-9]|1[0-2])"
                    + "|(ctrl|alt)-\\P{C}");

    private final Map<String, Action> actions = new HashMap<>();
    private final Map<Action, List<String>> keys = new EnumMap<>(Action.class);

    /**
     * @param own keys by an action's word, in place of its own
     * @throws HydraException USAGE for an action or a key that is none, and for a key that is bound twice
     */
    Keys(Map<String, List<String>> own) {
        for (var word : own.keySet()) {
            if (Arrays.stream(Action.values()).noneMatch(a -> a.word().equals(word))) {
                throw HydraException.usage("dashboard.keys has `" + PlainText.shorten(word)
                        + "`, which is no action; docs/keys.md lists them");
            }
        }
        for (var action : Action.values()) {
            keys.put(action, own.getOrDefault(action.word(), action.keys()));
        }
        keys.forEach((action, names) -> names.forEach(name -> bind(action, name)));
        if (keys.getOrDefault(Action.BACK, List.of()).isEmpty()
                && keys.getOrDefault(Action.QUIT, List.of()).isEmpty()) {
            throw HydraException.usage("dashboard.keys leaves no key to leave with; bind `back` or `quit`");
        }
    }

    private void bind(Action action, String name) {
        if (!NAME.matcher(name).matches()) {
            throw HydraException.usage("`" + PlainText.shorten(name) + "` of dashboard.keys." + action.word()
                    + " is no key; write a character, ctrl-x, alt-x, or a name such as pageup or f5");
        }
        var taken = actions.put(name, action);
        if (taken != null) {
            throw HydraException.usage("the key `" + name + "` is bound to both " + taken.word() + " and "
                    + action.word() + "; change one of them in dashboard.keys");
        }
    }

    /** What a key does in a view; null for nothing. */
    @Nullable
    Action action(String key, View view) {
        var action = actions.get(key);
        return action != null && action.views().contains(view) ? action : null;
    }

    List<String> of(Action action) {
        return keys.getOrDefault(action, List.of());
    }

    /** Its first key as people write it; empty when it has none. */
    String label(Action action) {
        return of(action).stream().findFirst().map(Keys::label).orElse("");
    }

    static String label(String key) {
        return switch (key) {
            case "up" -> "↑";
            case "down" -> "↓";
            case "left" -> "←";
            case "right" -> "→";
            case "pageup" -> "PgUp";
            case "pagedown" -> "PgDn";
            default ->
                key.length() == 1
                        ? key
                        : Arrays.stream(key.split("-", 2))
                                .map(w -> w.substring(0, 1).toUpperCase(Locale.ROOT) + w.substring(1))
                                .collect(Collectors.joining("-"));
        };
    }

    /** The name of a key, as in config.yaml: a character stands for itself; empty for a key without a name. */
    static String name(KeyStroke stroke) {
        var character = stroke.getCharacter();
        var name =
                switch (stroke.getKeyType()) {
                    case Character -> character == null ? "" : character == ' ' ? "space" : character.toString();
                    case ArrowUp -> "up";
                    case ArrowDown -> "down";
                    case ArrowLeft -> "left";
                    case ArrowRight -> "right";
                    case ReverseTab -> "shift-tab";
                    case Escape -> ESCAPE;
                    case Unknown, CursorLocation, MouseEvent, EOF -> "";
                    default -> stroke.getKeyType().name().toLowerCase(Locale.ROOT);
                };
        if (name.isEmpty() || name.equals("shift-tab")) {
            return name;
        }
        return (stroke.isCtrlDown() ? "ctrl-" : "") + (stroke.isAltDown() ? "alt-" : "") + name;
    }

    /** docs/keys.md. */
    static String document() {
        var text = new StringBuilder("""
                # Keys of the dashboard

                `hydra dashboard` (or `hydra ui`) shows all there is. `?` shows the keys of the view you are in.

                Each action can have other keys, in `config.yaml`:

                ```yaml
                dashboard:
                  theme: light          # or dark, or one of your own under dashboard.themes
                  keys:
                    delete: [D, delete]
                    page-down: [pagedown, space]
                ```

                A key is a character, `space`, `enter`, `tab`, `shift-tab`, `esc`, `backspace`, `delete`, `insert`, an arrow (`up`, `down`, `left`,
                `right`), `home`, `end`, `pageup`, `pagedown`, `f1` to `f12`, or `ctrl-` or `alt-` before a character.

                | action | keys | what it does | where |
                |---|---|---|---|
                """);
        for (var action : Action.values()) {
            text.append("| `").append(action.word()).append("` | ");
            text.append(action.keys().stream().map(k -> "`" + k + "`").collect(Collectors.joining(" ")));
            text.append(" | ").append(action.help()).append(" | ");
            text.append(
                    action.views().size() == View.values().length
                            ? "everywhere"
                            : action.views().stream().sorted().map(View::word).collect(Collectors.joining(", ")));
            text.append(" |\n");
        }
        return text.toString();
    }
}
