package dev.hydravisor.console;

import dev.hydravisor.operation.HydraException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jline.reader.Candidate;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;

/**
 * The prompt: line editing, history, completion. It is drawn at once; the console behind it may still be coming up, and is waited for
 * when the first line is entered.
 */
final class Repl {
    private static final String PROMPT = "hydra> ";

    private final CompletableFuture<Console> console;
    private final Session session;

    Repl(CompletableFuture<Console> console, Session session) {
        this.console = console;
        this.session = session;
    }

    /** Reads and runs lines until the user leaves. Returns 0: what failed has been told at its line. */
    int run(Path history) {
        var reader = LineReaderBuilder.builder()
                .terminal(session.terminal())
                .parser(new Words())
                .completer((_, line, candidates) -> complete(line.words().subList(0, line.wordIndex() + 1), candidates))
                .variable(LineReader.HISTORY_FILE, history)
                .variable(LineReader.HISTORY_SIZE, 5000)
                .option(LineReader.Option.HISTORY_IGNORE_DUPS, true)
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .option(LineReader.Option.CASE_INSENSITIVE, false)
                .option(LineReader.Option.AUTO_FRESH_LINE, false)
                .option(LineReader.Option.LIST_PACKED, true)
                .build();
        while (true) {
            try {
                var words = Words.split(reader.readLine(PROMPT));
                if (words.isEmpty()) {
                    continue;
                }
                if (words.size() == 1
                        && (words.getFirst().equals("exit") || words.getFirst().equals("quit"))) {
                    return 0;
                }
                // What was typed as in a shell works here too.
                var argv =
                        words.getFirst().equals("hydra") && words.size() > 1 ? words.subList(1, words.size()) : words;
                session.cooked();
                await(console).run(session, argv);
            } catch (UserInterruptException e) {
                // Ctrl-C at the prompt drops the line, as in a shell.
            } catch (EndOfFileException e) {
                return 0;
            } catch (HydraException e) {
                Console.failed(session, e);
            } finally {
                // A Ctrl-C that came as the command ended is not meant for the next one.
                Thread.interrupted();
            }
        }
    }

    static Console await(CompletableFuture<Console> console) {
        try {
            return console.get();
        } catch (InterruptedException e) {
            throw HydraException.interrupted();
        } catch (java.util.concurrent.ExecutionException | CompletionException e) {
            throw HydraException.unavailable("hydrad could not come up: " + reason(e) + "; see `hydra daemon logs`", e);
        }
    }

    private void complete(List<String> words, List<Candidate> candidates) {
        if (!console.isDone()) {
            return;
        }
        for (var c : Completion.candidates(await(console).commands(), session, words)) {
            candidates.add(new Candidate(
                    c.text(), c.text(), null, c.help().isEmpty() ? null : c.help(), null, null, !c.partial()));
        }
    }

    private static String reason(Throwable e) {
        var cause = e;
        while (cause.getCause() != null && cause.getCause() != cause) {
            cause = cause.getCause();
        }
        return String.valueOf(cause.getMessage()).strip().lines().findFirst().orElse(cause.toString());
    }
}
