package dev.hydravisor.daemon;

import java.io.IOException;
import org.jline.utils.NonBlockingReader;

/**
 * A terminal's characters, for which JLine need not ask ten times a second: its line reader reads the next key with a time-out of 100 ms,
 * again and again, which costs an idle prompt more of a processor than all else. Whoever means a time-out peeks.
 */
final class PatientReader extends NonBlockingReader {
    private final NonBlockingReader reader;

    PatientReader(NonBlockingReader reader) {
        this.reader = reader;
    }

    @Override
    protected int read(long timeout, boolean isPeek) throws IOException {
        return isPeek ? reader.peek(timeout) : reader.read(0L);
    }

    @Override
    public int readBuffered(char[] into, int offset, int length, long timeout) throws IOException {
        return reader.readBuffered(into, offset, length, timeout);
    }

    @Override
    public int available() {
        return reader.available();
    }

    @Override
    public void close() throws IOException {
        super.close();
        reader.close();
    }
}
