package dev.hydravisor.console;

import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jline.terminal.Terminal;
import org.jspecify.annotations.Nullable;
import org.springframework.shell.core.InputReader;

/**
 * One user at one terminal, or one pipe: what a client told of itself, and its three streams. A command is interrupted
 * (its thread, that is) when the user presses Ctrl-C or goes away.
 */
public interface Session extends InputReader {
    /** The client's working directory: paths the user types are relative to it. */
    Path workingDirectory();

    /** The user of this host at the other end. */
    default String user() {
        return System.getProperty("user.name");
    }

    /** A variable of the client's environment, of those that matter to hydra; null when it is unset. */
    @Nullable
    String environment(String name);

    /** Standard output; a write after the reader is gone ends the command quietly. */
    PrintWriter out();

    /** Standard output as bytes, for what is no text. What was written to {@link #out} before goes first. */
    OutputStream outBytes();

    PrintWriter err();

    /** Standard input as bytes, for a client whose input is no terminal. */
    InputStream in();

    boolean inIsTerminal();

    boolean outIsTerminal();

    boolean errIsTerminal();

    /** Width of the terminal in columns; 80 where there is none. */
    int columns();

    /**
     * The client's terminal, for line editing and full-screen views, which put it into raw mode. It stays so between two of them: a key
     * that comes in between must not be lost to a change of mode.
     */
    Terminal terminal();

    /** Puts a terminal that is in raw mode no longer back into cooked mode: what runs now expects lines. */
    void cooked();

    /**
     * Has the client run a program on its own terminal (such as {@code tmux attach}) and waits for its end.
     *
     * @return its exit status; 126 or 127 when it could not be started, 128 + n when signal n ended it
     */
    int run(List<String> argv);

    /** Resolves a path the user typed. */
    default Path path(String typed) {
        return workingDirectory().resolve(typed).normalize();
    }
}
