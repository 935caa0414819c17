package dev.hydravisor.console;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.impl.LineDisciplineTerminal;
import org.jspecify.annotations.Nullable;

/**
 * A session without a client: a pipe whose input is given at once, or a terminal that is typed at. Ctrl-C interrupts the thread that
 * {@link #runs} was told of, as the daemon does.
 */
final class TestSession implements Session {
    private final Map<String, String> environment;
    private final InputStream in;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final PrintWriter outWriter = new PrintWriter(out, true);
    private final PrintWriter errWriter = new PrintWriter(err, true);
    private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
    private final @Nullable LineDisciplineTerminal terminal;
    private volatile @Nullable Thread command;

    private TestSession(Map<String, String> environment, String input, boolean withTerminal) {
        this.environment = environment;
        this.in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
        try {
            terminal =
                    withTerminal ? new LineDisciplineTerminal("test", "xterm", screen, StandardCharsets.UTF_8) : null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (terminal != null) {
            terminal.setSize(new Size(200, 40));
            terminal.handle(Signal.INT, _ -> {
                var running = command;
                if (running != null) {
                    running.interrupt();
                }
            });
        }
    }

    static TestSession pipe(Map<String, String> environment, String input) {
        return new TestSession(environment, input, false);
    }

    static TestSession terminal(Map<String, String> environment) {
        return new TestSession(environment, "", true);
    }

    /** Says on which thread the command runs. */
    void runs(Thread thread) {
        command = thread;
    }

    /** Types text at the terminal, keys as the bytes they send. */
    void type(String text) {
        try {
            ((LineDisciplineTerminal) terminal()).processInputBytes(text.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** All the terminal was sent, escape sequences and all. */
    String sent() {
        return screen.toString(StandardCharsets.UTF_8);
    }

    String printed() {
        return out.toString();
    }

    String complained() {
        return err.toString();
    }

    @Override
    public Path workingDirectory() {
        return Path.of("/");
    }

    @Override
    public @Nullable String environment(String name) {
        return environment.get(name);
    }

    @Override
    public PrintWriter out() {
        return outWriter;
    }

    @Override
    public void cooked() {}

    @Override
    public OutputStream outBytes() {
        throw new UnsupportedOperationException();
    }

    @Override
    public PrintWriter err() {
        return errWriter;
    }

    @Override
    public InputStream in() {
        return in;
    }

    @Override
    public boolean inIsTerminal() {
        return terminal != null;
    }

    @Override
    public boolean outIsTerminal() {
        return terminal != null;
    }

    @Override
    public boolean errIsTerminal() {
        return terminal != null;
    }

    @Override
    public int columns() {
        return 200;
    }

    @Override
    public Terminal terminal() {
        if (terminal == null) {
            throw new IllegalStateException("there is no terminal");
        }
        return terminal;
    }

    @Override
    public int run(List<String> argv) {
        throw new UnsupportedOperationException();
    }
}
