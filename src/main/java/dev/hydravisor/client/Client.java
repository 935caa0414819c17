package dev.hydravisor.client;

import dev.hydravisor.wire.Fields;
import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.FrameChannel;
import dev.hydravisor.wire.Hello;
import dev.hydravisor.wire.Rendezvous;
import dev.hydravisor.wire.Version;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;

/**
 * Relays one terminal to the daemon, and exits with the status it is told. It knows nothing of commands, apart from {@code daemon …},
 * which must work when there is no daemon.
 */
public final class Client {
    private static final int BROKEN_PIPE = 141;
    private static final int INTERRUPTED = 130;
    private static final int UNAVAILABLE = 5;
    private static final int FAILED = 1;
    /** No exit status: the daemon went away in the middle. */
    private static final int LOST = -1;

    /** Variables the daemon is told of, beside those that begin with HYDRA_. */
    private static final List<String> VARIABLES = List.of(
            "TERM",
            "COLORTERM",
            "LANG",
            "LC_ALL",
            "NO_COLOR",
            "OLLAMA_HOST",
            "AWS_PROFILE",
            "AWS_REGION",
            "TMUX",
            "USER");

    private final FrameChannel channel;
    private final Keyboard keyboard;
    private final TerminalMode mode;
    private final FileOutputStream out = new FileOutputStream(FileDescriptor.out);
    private final FileOutputStream err = new FileOutputStream(FileDescriptor.err);
    private long lastInterrupt;
    private volatile long frames;
    private boolean staying;

    private Client(FrameChannel channel, String terminals) {
        this.channel = channel;
        this.keyboard = new Keyboard(channel, terminals.contains("0"));
        this.mode = new TerminalMode();
    }

    /**
     * The client's program.
     *
     * @param args first what {@code bin/hydra} found out: which streams are terminals, such as {@code tty=012}, and the window's
     *     size, such as {@code size=24 80}; then the user's own arguments
     */
    public static void main(String[] args) {
        var terminals = args[0].substring("tty=".length());
        var size = args[1].substring("size=".length());
        var arguments = List.of(args).subList(2, args.length);
        int status;
        try {
            var rendezvous = Rendezvous.in(Rendezvous.home()).check();
            if (!arguments.isEmpty() && arguments.getFirst().equals("daemon")) {
                status = new DaemonCommand(rendezvous).run(arguments.subList(1, arguments.size()));
            } else {
                status = relay(new DaemonStart(rendezvous), terminals, size, arguments);
            }
        } catch (IOException e) {
            System.err.println("error: " + e.getMessage());
            status = UNAVAILABLE;
        }
        Runtime.getRuntime().halt(status);
    }

    /** With {@code --reconnect}, a daemon that went away is waited for, and the command is begun anew. */
    private static int relay(DaemonStart daemon, String terminals, String size, List<String> arguments)
            throws IOException {
        var reconnect = !arguments.isEmpty() && arguments.getFirst().equals("--reconnect");
        var command = reconnect ? arguments.subList(1, arguments.size()) : arguments;
        while (true) {
            var status = relay(daemon.connect(), terminals, size, command);
            if (!reconnect || status != LOST) {
                return status == LOST ? UNAVAILABLE : status;
            }
            System.err.println("waiting for it to come back; any hydra command starts it");
            daemon.await();
        }
    }

    /** Serves one connection to its end. Returns the exit status; {@link #LOST} when the daemon went away. */
    public static int relay(FrameChannel channel, String terminals, String size, List<String> arguments) {
        return new Client(channel, terminals).serve(hello(terminals, size, arguments));
    }

    private int serve(Hello hello) {
        try {
            handleSignals();
            channel.write(hello.frame());
            while (true) {
                var frame = channel.read();
                frames++;
                switch (frame.type()) {
                    case STDOUT -> write(out, frame.payload());
                    case STDERR -> write(err, frame.payload());
                    case READ -> keyboard.wanted();
                    case TERMINAL -> {
                        mode.set(frame.text());
                        stays();
                    }
                    case RUN -> {
                        stays();
                        var status = run(Fields.decode(frame.payload()));
                        channel.write(Frame.of(Frame.Type.RUN_EXIT, String.valueOf(status)));
                    }
                    case EXIT -> {
                        return Integer.parseInt(frame.text());
                    }
                    case REFUSED -> {
                        write(err, ("error: " + frame.text() + "\n").getBytes(StandardCharsets.UTF_8));
                        return FAILED;
                    }
                    default -> throw new IOException("the daemon sent " + frame.type());
                }
            }
        } catch (BrokenPipe e) {
            return BROKEN_PIPE;
        } catch (EOFException e) {
            return lost("the daemon went away");
        } catch (IOException e) {
            return lost("the daemon went away: " + e.getMessage());
        } finally {
            mode.set(TerminalMode.COOKED);
        }
    }

    /** This client is one that a user sits at: it will be idle for most of its life. */
    private void stays() {
        if (!staying) {
            staying = true;
            IdleMemory.watch(() -> frames, () -> {});
        }
    }

    private int lost(String what) {
        mode.set(TerminalMode.COOKED);
        // Whatever screen was drawn when it went: back to the main one, no mouse, attributes off, the cursor shown.
        if (mode.touched()) {
            System.err.print("\033[?1049l\033[?1000l\033[?1005l\033[?2004l\033[?1l\033[0m\033[?25h");
        }
        System.err.println("error: " + what + "; nothing that ran is lost; see `hydra daemon logs`");
        keyboard.suspend();
        return LOST;
    }

    private int run(List<String> argv) {
        var suspended = keyboard.suspend();
        var before = mode.current();
        mode.set(TerminalMode.COOKED);
        try {
            var process = new ProcessBuilder(argv).inheritIO().start();
            while (true) {
                try {
                    return process.waitFor();
                } catch (InterruptedException e) {
                    // Only the program's end ends this.
                }
            }
        } catch (IOException e) {
            System.err.println("error: cannot run `" + argv.getFirst() + "`: " + e.getMessage());
            return 127;
        } finally {
            mode.set(before);
            if (suspended) {
                keyboard.wanted();
            }
            resized();
        }
    }

    private void handleSignals() {
        handle("INT", () -> {
            // A daemon that does not answer must not hold its user: the second Ctrl-C within two seconds is for us.
            var now = System.nanoTime();
            if (!mode.isRaw() && now - lastInterrupt < 2_000_000_000L) {
                mode.set(TerminalMode.COOKED);
                Runtime.getRuntime().halt(INTERRUPTED);
            }
            lastInterrupt = now;
            send(Frame.of(Frame.Type.SIGNAL, "INT"));
        });
        handle("WINCH", this::resized);
        handle("CONT", () -> {
            mode.again();
            resized();
        });
        for (var name : List.of("TERM", "HUP")) {
            handle(name, () -> {
                send(Frame.of(Frame.Type.SIGNAL, name));
                mode.set(TerminalMode.COOKED);
                Runtime.getRuntime().halt(name.equals("HUP") ? 129 : 143);
            });
        }
    }

    private static void handle(String signal, Runnable action) {
        try {
            Signal.handle(new Signal(signal), _ -> action.run());
        } catch (IllegalArgumentException e) {
            // The JVM keeps this one for itself.
        }
    }

    private void resized() {
        var size = mode.size();
        if (size != null) {
            send(new Frame(Frame.Type.RESIZE, Fields.encode(List.of(size.split(" ", -1)))));
        }
    }

    private void send(Frame frame) {
        try {
            channel.write(frame);
        } catch (IOException e) {
            // The reading side sees the same, and says so.
        }
    }

    private static void write(FileOutputStream stream, byte[] bytes) throws BrokenPipe {
        try {
            stream.write(bytes);
        } catch (IOException e) {
            throw new BrokenPipe();
        }
    }

    private static final class BrokenPipe extends IOException {
        private static final long serialVersionUID = 1;
    }

    private static Hello hello(String terminals, String size, List<String> arguments) {
        var window = size.split(" ", -1);
        return new Hello(
                Version.current(),
                Path.of("").toAbsolutePath().toString(),
                terminals,
                number(window, 1),
                number(window, 0),
                environment(),
                arguments);
    }

    private static int number(String[] window, int index) {
        try {
            return index < window.length ? Integer.parseInt(window[index]) : 0;
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private static Map<String, String> environment() {
        var told = new LinkedHashMap<String, String>();
        for (var variable : VARIABLES) {
            @Nullable String value = System.getenv(variable);
            if (value != null) {
                told.put(variable, value);
            }
        }
        System.getenv().forEach((name, value) -> {
            if (name.startsWith("HYDRA_")) {
                told.put(name, value);
            }
        });
        return told;
    }
}
