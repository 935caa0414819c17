package dev.hydravisor.dashboard;

import com.googlecode.lanterna.TerminalSize;
import com.googlecode.lanterna.TextColor;
import com.googlecode.lanterna.terminal.MouseCaptureMode;
import com.googlecode.lanterna.terminal.ansi.ANSITerminal;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.utils.NonBlockingInputStream;
import org.jspecify.annotations.Nullable;

/**
 * The viewer's terminal as Lanterna drives it: keys in, pictures out. Only what changed since the last picture is sent. Lanterna's own
 * screen is not used, for it guesses the width of characters otherwise than terminals do; here the cursor is placed anew behind each
 * character whose width is in any doubt.
 */
final class Screen extends ANSITerminal {
    private static final int ESCAPE = 27;

    private final Terminal relay;
    private final Theme theme;
    private @Nullable Frame shown;
    private @Nullable Attributes before;
    private Role look = Role.TEXT;

    Screen(Terminal relay, Theme theme) {
        super(new KeyStream(relay.input()), new BufferedOutputStream(relay.output(), 1 << 16), StandardCharsets.UTF_8);
        this.relay = relay;
        this.theme = theme;
    }

    /** The size is told, never asked for: a terminal that does not answer would be waited for. */
    @Override
    protected TerminalSize findTerminalSize() {
        return new TerminalSize(Math.max(1, relay.getWidth()), Math.max(1, relay.getHeight()));
    }

    /** Takes the terminal: keys one by one, the other screen, no cursor. */
    void enter() {
        before = relay.enterRawMode();
        resume();
    }

    /** Takes it again, after {@link #pause}. */
    void resume() {
        terminal(() -> {
            enterPrivateMode();
            setCursorVisible(false);
            setMouseCaptureMode(MouseCaptureMode.CLICK_RELEASE);
            forget();
            flush();
        });
    }

    /** Gives it back as it was, but for the mode of its keys. */
    void pause() {
        terminal(() -> {
            setMouseCaptureMode(null);
            resetColorAndSGR();
            setCursorVisible(true);
            exitPrivateMode();
            flush();
        });
    }

    /** Gives it back for good. */
    void leave() {
        pause();
        if (before != null) {
            relay.setAttributes(before);
        }
    }

    /** Copies text to the clipboard of the terminal's user, where the terminal lets us. */
    void copy(String text) {
        var encoded = java.util.Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        terminal(() -> {
            writeToTerminal(("\033]52;c;" + encoded + "\007").getBytes(StandardCharsets.US_ASCII));
            flush();
        });
    }

    /** Prints a line on the terminal while it is given away. */
    void say(String line) {
        terminal(() -> {
            writeToTerminal((line + "\r\n").getBytes(StandardCharsets.UTF_8));
            flush();
        });
    }

    /** The next picture is sent whole. */
    void forget() {
        shown = null;
    }

    void draw(Frame frame) {
        terminal(() -> {
            var last = shown;
            if (last == null || last.columns() != frame.columns() || last.rows() != frame.rows()) {
                resetColorAndSGR();
                look = Role.TEXT;
                apply(Role.TEXT);
                clearScreen();
                last = new Frame(frame.columns(), frame.rows());
            }
            for (int y = 0; y < frame.rows(); y++) {
                row(frame, last, y);
            }
            shown = frame;
            flush();
        });
    }

    private void row(Frame frame, Frame last, int y) throws IOException {
        int cursor = -1;
        for (int x = 0; x < frame.columns(); x++) {
            var text = frame.text(x, y);
            var half = x + 1 < frame.columns() && frame.text(x + 1, y) == null;
            if (text == null || (frame.same(x, y, last) && !(half && !frame.same(x + 1, y, last)))) {
                continue;
            }
            if (frame.role(x, y) != look) {
                apply(frame.role(x, y));
            }
            if (cursor != x) {
                setCursorPosition(x, y);
            }
            var plain = text.length() == 1 && text.charAt(0) < 0x300;
            if (half) {
                writeToTerminal((byte) ' ', (byte) ' ');
                setCursorPosition(x, y);
            }
            writeToTerminal(text.getBytes(StandardCharsets.UTF_8));
            cursor = plain ? x + 1 : -1;
        }
    }

    private void apply(Role role) throws IOException {
        var wanted = theme.look(role);
        resetColorAndSGR();
        for (var attribute : wanted.attributes()) {
            enableSGR(attribute);
        }
        if (wanted.foreground() != TextColor.ANSI.DEFAULT) {
            setForegroundColor(wanted.foreground());
        }
        if (wanted.background() != TextColor.ANSI.DEFAULT) {
            setBackgroundColor(wanted.background());
        }
        look = role;
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void terminal(Work work) {
        try {
            work.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The relayed keys, such that Lanterna can tell whether more is there, and a lone Escape from the begin of a sequence. Enter comes as a
     * line feed, as from a terminal in its usual mode: Lanterna swallows a carriage return together with the key behind it.
     */
    private static final class KeyStream extends InputStream {
        private static final int TORN_MILLIS = 25;
        private static final int NOT_AT_ALL = -1;

        private final NonBlockingInputStream keys;
        private boolean escape;
        private boolean ended;

        KeyStream(InputStream keys) {
            this.keys = (NonBlockingInputStream) keys;
        }

        @Override
        public int read() throws IOException {
            var key = ended ? -1 : keys.read();
            escape = key == ESCAPE;
            return key == '\r' ? '\n' : key;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            var count = ended ? -1 : keys.read(into, offset, length);
            escape = count > 0 && into[offset + count - 1] == ESCAPE;
            for (int i = offset; i < offset + count; i++) {
                into[i] = into[i] == '\r' ? (byte) '\n' : into[i];
            }
            return count;
        }

        @Override
        public int available() throws IOException {
            var next = keys.read(escape ? TORN_MILLIS : NOT_AT_ALL, true);
            // The end is told once, and here it would be lost.
            ended |= next == NonBlockingInputStream.EOF;
            return next >= 0 || ended ? 1 : 0;
        }
    }
}
