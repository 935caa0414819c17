package dev.hydravisor.console;

import dev.hydravisor.dashboard.Splash;
import dev.hydravisor.operation.HydraException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Where a session begins: REPL, one-shot or script, by its arguments. Needs nothing of what comes up in the background. */
public final class Entry {
    private Entry() {}

    /**
     * Serves a session to its end.
     *
     * @param console the console, once it is up
     * @param history where the REPL keeps its history
     * @return the exit status
     */
    public static int serve(CompletableFuture<Console> console, Session session, List<String> arguments, Path history) {
        try {
            return dispatch(console, session, new ArrayList<>(arguments), history);
        } catch (HydraException e) {
            return Console.failed(session, e);
        } finally {
            session.out().flush();
            session.err().flush();
        }
    }

    private static int dispatch(
            CompletableFuture<Console> console, Session session, List<String> arguments, Path history) {
        var keepGoing = false;
        while (!arguments.isEmpty()) {
            var first = arguments.getFirst();
            if (first.equals("--keep-going")) {
                keepGoing = true;
                arguments.removeFirst();
            } else if (first.equals("-f") || first.equals("--file")) {
                if (arguments.size() < 2) {
                    throw HydraException.usage("`" + first + "` wants a file; `-` is standard input");
                }
                var file = arguments.get(1);
                var rest = arguments.subList(2, arguments.size());
                keepGoing |= rest.remove("--keep-going");
                if (!rest.isEmpty()) {
                    throw HydraException.usage("`" + rest.getFirst() + "` does not belong behind `" + first
                            + "`; a script takes no arguments");
                }
                return new Script(Repl.await(console), session, keepGoing).run(file);
            } else {
                return command(console, session, arguments);
            }
        }
        return session.inIsTerminal() && !keepGoing
                ? new Repl(console, session).run(history)
                : new Script(Repl.await(console), session, keepGoing).run("-");
    }

    private static int command(CompletableFuture<Console> console, Session session, List<String> arguments) {
        var splash = !console.isDone()
                && DashboardCommand.isAsked(arguments)
                && session.inIsTerminal()
                && session.outIsTerminal();
        if (!splash) {
            return Repl.await(console).run(session, arguments);
        }
        var terminal = session.terminal();
        Splash.show(terminal);
        try {
            return Repl.await(console).run(session, arguments);
        } finally {
            Splash.hide(terminal);
            session.cooked();
        }
    }
}
