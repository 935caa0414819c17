package dev.hydravisor.dashboard;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;

/** The first picture, drawn at once while all else is still coming up. Keys pressed meanwhile are kept. */
public final class Splash {
    /** The terminals that show it, and how they were before. */
    private static final Map<Terminal, Attributes> SHOWN = new ConcurrentHashMap<>();

    private Splash() {}

    public static void show(Terminal terminal) {
        SHOWN.put(terminal, terminal.enterRawMode());
        var frame = new Frame(Math.max(1, terminal.getWidth()), Math.max(1, terminal.getHeight()));
        int x = 1;
        for (var view : View.values()) {
            x = frame.put(x, 0, view.ordinal() + 1 + " " + view.word(), Role.TEXT) + 2;
        }
        frame.put(2, 2, "hydrad is starting …", Role.TEXT);
        terminal.writer()
                .print("\033[?1049h\033[?25l\033[H"
                        + frame.toString().stripTrailing().replace("\n", "\r\n"));
        terminal.flush();
    }

    /** The dashboard itself takes its place. */
    public static void replace(Terminal terminal) {
        var before = SHOWN.remove(terminal);
        if (before != null) {
            terminal.setAttributes(before);
        }
    }

    /** Takes it away, where it is still shown: nothing comes after it. */
    public static void hide(Terminal terminal) {
        if (SHOWN.containsKey(terminal)) {
            terminal.writer().print("\033[?25h\033[?1049l");
            terminal.flush();
            replace(terminal);
        }
    }
}
