package dev.hydravisor.daemon;

import dev.hydravisor.console.Session;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.wire.Fields;
import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.Frame.Type;
import dev.hydravisor.wire.Hello;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.SynchronousQueue;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jspecify.annotations.Nullable;

/** A session whose user is at the other end of a connection. */
final class WireSession implements Session {
    private static final byte CTRL_C = 3;

    private final Hello hello;
    private final String user;
    private final Outbox outbox;
    private final RelayInput input;
    private final PrintWriter out;
    private final PrintWriter err;
    private final Runnable interrupt;
    private final SynchronousQueue<Integer> runExits = new SynchronousQueue<>();
    private volatile Size size;
    private volatile @Nullable RelayTerminal terminal;
    private boolean rawWanted;
    private boolean rawNow;

    /**
     * @param user who started the client
     * @param interrupt ends what the session's command is doing
     */
    WireSession(Hello hello, String user, Outbox outbox, Runnable interrupt) {
        this.hello = hello;
        this.user = user;
        this.outbox = outbox;
        this.interrupt = interrupt;
        this.input = new RelayInput(() -> outbox.put(Frame.of(Type.READ)));
        this.out = writer(Type.STDOUT);
        this.err = writer(Type.STDERR);
        this.size = hello.columns() > 0 ? new Size(hello.columns(), hello.rows()) : new Size(80, 24);
    }

    /** Takes a frame of the client's that belongs to the session. */
    void received(Frame frame) throws IOException {
        switch (frame.type()) {
            case STDIN -> typed(frame.payload());
            case STDIN_END -> input.end();
            case SIGNAL -> signal(frame.text());
            case RESIZE -> {
                var rowsAndColumns = Fields.decode(frame.payload());
                resized(new Size(Integer.parseInt(rowsAndColumns.get(1)), Integer.parseInt(rowsAndColumns.get(0))));
            }
            case RUN_EXIT -> {
                try {
                    runExits.put(Integer.parseInt(frame.text()));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            default -> throw new IOException("a client sent " + frame.type());
        }
    }

    /** The user is gone: whoever reads sees the end, and the command is interrupted. */
    void gone() {
        input.end();
        interrupt.run();
    }

    /** In raw mode a Ctrl-C is a key among keys: what was typed before it is dropped, as a terminal does. */
    private void typed(byte[] bytes) {
        var from = 0;
        if (isRaw()) {
            for (int i = 0; i < bytes.length; i++) {
                if (bytes[i] == CTRL_C) {
                    from = i + 1;
                }
            }
        }
        if (from > 0) {
            input.clear();
            signal("INT");
        }
        input.received(Arrays.copyOfRange(bytes, from, bytes.length));
    }

    private void signal(String name) {
        var there = terminal;
        if (name.equals("INT") && there != null) {
            there.raise(Signal.INT);
        } else {
            interrupt.run();
        }
    }

    private void resized(Size now) {
        size = now;
        var there = terminal;
        if (there != null) {
            there.setSize(now);
            there.raise(Signal.WINCH);
        }
    }

    @Override
    public Path workingDirectory() {
        return Path.of(hello.workingDirectory());
    }

    @Override
    public String user() {
        return user;
    }

    @Override
    public @Nullable String environment(String name) {
        return hello.environment().get(name);
    }

    @Override
    public PrintWriter out() {
        return out;
    }

    @Override
    public OutputStream outBytes() {
        out.flush();
        return stream(Type.STDOUT);
    }

    @Override
    public PrintWriter err() {
        return err;
    }

    @Override
    public InputStream in() {
        return input;
    }

    @Override
    public boolean inIsTerminal() {
        return hello.terminals().contains("0");
    }

    @Override
    public boolean outIsTerminal() {
        return hello.terminals().contains("1");
    }

    @Override
    public boolean errIsTerminal() {
        return hello.terminals().contains("2");
    }

    @Override
    public int columns() {
        return size.getColumns();
    }

    @Override
    public synchronized Terminal terminal() {
        var there = terminal;
        if (there == null) {
            try {
                var type = environment("TERM");
                there = new RelayTerminal(
                        type == null ? "dumb" : type, size, input, stream(Type.STDOUT), this::rawMode, interrupt);
                terminal = there;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return there;
    }

    @Override
    public int run(List<String> argv) {
        if (!inIsTerminal() || !outIsTerminal()) {
            throw HydraException.usage("this needs a terminal; run it without a pipe");
        }
        out.flush();
        err.flush();
        outbox.put(new Frame(Type.RUN, Fields.encode(argv)));
        try {
            return runExits.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        }
    }

    private synchronized void rawMode(boolean raw) {
        rawWanted = raw;
        if (raw) {
            setMode(true);
        }
    }

    @Override
    public synchronized void cooked() {
        if (!rawWanted) {
            setMode(false);
        }
    }

    private synchronized boolean isRaw() {
        return rawNow;
    }

    private void setMode(boolean raw) {
        if (raw != rawNow) {
            rawNow = raw;
            input.ahead(raw);
            outbox.put(Frame.of(Type.TERMINAL, raw ? "raw" : "cooked"));
        }
    }

    private PrintWriter writer(Type type) {
        return new PrintWriter(new OutputStreamWriter(stream(type), StandardCharsets.UTF_8));
    }

    private OutputStream stream(Type type) {
        return new OutputStream() {
            @Override
            public void write(int b) {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                for (int at = 0; at < length; at += Frame.MAX_PAYLOAD) {
                    outbox.put(Frame.of(type, bytes, offset + at, Math.min(Frame.MAX_PAYLOAD, length - at)));
                }
            }
        };
    }
}
