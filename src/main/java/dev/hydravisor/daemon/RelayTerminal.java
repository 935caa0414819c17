package dev.hydravisor.daemon;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.jline.terminal.Attributes;
import org.jline.terminal.Attributes.ControlChar;
import org.jline.terminal.Attributes.InputFlag;
import org.jline.terminal.Attributes.LocalFlag;
import org.jline.terminal.Attributes.OutputFlag;
import org.jline.terminal.Size;
import org.jline.terminal.impl.AbstractTerminal;
import org.jline.terminal.spi.SystemStream;
import org.jline.terminal.spi.TerminalProvider;
import org.jline.utils.NonBlocking;
import org.jline.utils.NonBlockingInputStream;
import org.jline.utils.NonBlockingReader;
import org.jspecify.annotations.Nullable;

/** A client's terminal as JLine sees it: bytes and modes go over the wire, signals and sizes come from it. */
final class RelayTerminal extends AbstractTerminal {
    private final NonBlockingInputStream input;
    private final NonBlockingReader reader;
    private final OutputStream output;
    private final PrintWriter writer;
    private final Consumer<Boolean> rawMode;
    private final Runnable interrupt;
    private final Attributes attributes = cooked();
    private volatile Size size;

    /**
     * @param rawMode told when keys are wanted one by one (true), or lines again (false)
     * @param interrupt what Ctrl-C does while nobody handles it
     */
    RelayTerminal(
            String type,
            Size size,
            NonBlockingInputStream input,
            OutputStream output,
            Consumer<Boolean> rawMode,
            Runnable interrupt)
            throws IOException {
        super("hydra", type, StandardCharsets.UTF_8, SignalHandler.SIG_DFL);
        this.size = size;
        this.input = input;
        this.reader = new PatientReader(NonBlocking.nonBlocking(getName(), input, encoding()));
        this.output = output;
        this.writer = new PrintWriter(new OutputStreamWriter(output, encoding()));
        this.rawMode = rawMode;
        this.interrupt = interrupt;
        parseInfoCmp();
    }

    @Override
    public void raise(Signal signal) {
        if (signal == Signal.INT && handlers.get(signal) == SignalHandler.SIG_DFL) {
            interrupt.run();
        } else {
            super.raise(signal);
        }
    }

    @Override
    public NonBlockingReader reader() {
        return reader;
    }

    @Override
    public PrintWriter writer() {
        return writer;
    }

    @Override
    public InputStream input() {
        return input;
    }

    @Override
    public OutputStream output() {
        return output;
    }

    @Override
    public Attributes getAttributes() {
        return new Attributes(attributes);
    }

    @Override
    public void setAttributes(Attributes wanted) {
        attributes.copy(wanted);
        rawMode.accept(!wanted.getLocalFlag(LocalFlag.ICANON));
    }

    @Override
    public Size getSize() {
        return size;
    }

    @Override
    public void setSize(Size size) {
        this.size = size;
    }

    @Override
    public @Nullable TerminalProvider getProvider() {
        return null;
    }

    @Override
    public @Nullable SystemStream getSystemStream() {
        return null;
    }

    private static Attributes cooked() {
        var attributes = new Attributes();
        attributes.setLocalFlag(LocalFlag.ICANON, true);
        attributes.setLocalFlag(LocalFlag.ECHO, true);
        attributes.setLocalFlag(LocalFlag.ISIG, true);
        attributes.setInputFlag(InputFlag.ICRNL, true);
        attributes.setOutputFlag(OutputFlag.OPOST, true);
        attributes.setControlChar(ControlChar.VINTR, 3);
        attributes.setControlChar(ControlChar.VEOF, 4);
        attributes.setControlChar(ControlChar.VERASE, 127);
        attributes.setControlChar(ControlChar.VKILL, 21);
        attributes.setControlChar(ControlChar.VWERASE, 23);
        attributes.setControlChar(ControlChar.VSUSP, 26);
        attributes.setControlChar(ControlChar.VQUIT, 28);
        return attributes;
    }
}
