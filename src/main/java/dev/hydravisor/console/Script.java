package dev.hydravisor.console;

import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;

/** Commands from a file or from standard input, one a line; stops at the first that fails unless told to go on. */
final class Script {
    private final Console console;
    private final Session session;
    private final boolean keepGoing;

    Script(Console console, Session session, boolean keepGoing) {
        this.console = console;
        this.session = session;
        this.keepGoing = keepGoing;
    }

    /**
     * Runs the file, or standard input for {@code -}.
     *
     * @return 0, or the status of the first line that failed
     */
    int run(String file) {
        try (var lines = open(file)) {
            return run(file.equals("-") ? "stdin" : file, new BufferedReader(lines));
        } catch (NoSuchFileException e) {
            throw HydraException.notFound("there is no file `" + file + "`");
        } catch (InterruptedIOException e) {
            throw HydraException.interrupted();
        } catch (IOException e) {
            throw HydraException.failed("cannot read `" + file + "`: " + e.getMessage());
        }
    }

    private int run(String name, BufferedReader lines) throws IOException {
        int status = 0;
        int number = 0;
        String line;
        while ((line = lines.readLine()) != null) {
            number++;
            var ended = runLine(line);
            if (ended != 0) {
                session.err()
                        .println("error: " + name + ":" + number + ": ended with status " + ended
                                + (keepGoing ? "" : "; the rest was not run"));
                session.err().flush();
                status = status == 0 ? ended : status;
                if (!keepGoing || ended == ExitCode.INTERRUPTED.status()) {
                    return status;
                }
            }
        }
        return status;
    }

    private int runLine(String line) {
        try {
            var words = Words.split(line);
            return words.isEmpty() ? 0 : console.run(session, words);
        } catch (HydraException e) {
            return Console.failed(session, e);
        }
    }

    private Reader open(String file) throws IOException {
        return file.equals("-")
                ? new InputStreamReader(session.in(), StandardCharsets.UTF_8)
                : Files.newBufferedReader(session.path(file));
    }
}
