package dev.hydravisor.client;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The modes of the user's terminal, through {@code stty}: only interactive use pays for it. */
final class TerminalMode {
    static final String RAW = "raw";
    static final String COOKED = "cooked";

    private String current = COOKED;
    private @Nullable String saved;

    synchronized String current() {
        return current;
    }

    synchronized boolean isRaw() {
        return current.equals(RAW);
    }

    /** Whether it was ever raw. */
    synchronized boolean touched() {
        return saved != null;
    }

    synchronized void set(String wanted) {
        if (wanted.equals(current)) {
            return;
        }
        if (wanted.equals(RAW)) {
            if (saved == null) {
                saved = stty("-g");
            }
            // Keys one by one, unseen and in their order, Ctrl-C among them; a newline is still a new line.
            stty("-icanon", "-echo", "-isig", "-iexten", "-ixon", "-icrnl", "-inlcr", "min", "1", "time", "0");
        } else if (saved != null) {
            stty(saved);
        }
        current = wanted;
    }

    /** Sets the present mode once more, as after the shell had the terminal in between. */
    synchronized void again() {
        if (isRaw()) {
            current = COOKED;
            set(RAW);
        }
    }

    /** The window as {@code rows columns}; null without a terminal. */
    @Nullable
    String size() {
        return stty("size");
    }

    private static @Nullable String stty(String... arguments) {
        try {
            var argv = new ArrayList<>(List.of("stty"));
            argv.addAll(List.of(arguments));
            var process = new ProcessBuilder(argv)
                    .redirectInput(Redirect.INHERIT)
                    .redirectError(Redirect.DISCARD)
                    .start();
            var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return process.waitFor() == 0 ? out : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }
}
