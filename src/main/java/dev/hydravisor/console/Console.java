package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.CommandExecutionException;
import org.springframework.shell.core.command.CommandExecutor;
import org.springframework.shell.core.command.CommandNotFoundException;
import org.springframework.shell.core.command.CommandRegistry;
import org.springframework.stereotype.Component;

/** Runs one command line for a session: finds the command, runs it, tells what went wrong, gives the exit status. */
@Component
public class Console {
    private static final Logger log = LoggerFactory.getLogger(Console.class);

    private final CommandRegistry registry = new CommandRegistry();
    private final CommandExecutor executor = new CommandExecutor(registry);
    private final List<HydraCommand> commands;

    public Console(List<Commands> groups) {
        var all = new ArrayList<HydraCommand>();
        groups.forEach(g -> all.addAll(g.commands()));
        all.add(HydraCommand.named("help", "say what there is, or all about one command")
                .rest("COMMAND", "a command, such as vm create")
                .example("hydra help vm create")
                .runs(this::help));
        all.sort(Comparator.comparing(HydraCommand::getName));
        all.forEach(registry::registerCommand);
        commands = List.copyOf(all);
    }

    /** All commands, by name. */
    public List<HydraCommand> commands() {
        return commands;
    }

    /** Runs one command line and returns its exit status. Never throws. */
    public int run(Session session, List<String> argv) {
        try {
            return Request.of(Actor.user(session.user()), session.workingDirectory())
                    .call(() -> execute(session, argv));
        } catch (HydraException e) {
            return failed(session, e);
        } catch (RuntimeException e) {
            log.error("`{}` failed", String.join(" ", argv), e);
            return failed(
                    session,
                    HydraException.failed("this is a defect of hydra: " + PlainText.safe(e.toString())
                            + "; see `hydra daemon logs`"));
        } finally {
            session.out().flush();
            session.err().flush();
        }
    }

    /** Tells an error in one line, and gives its exit status. */
    static int failed(Session session, HydraException e) {
        session.out().flush();
        // What a user interrupted needs no telling: the shell's own convention is the status alone.
        session.err().println(e.exitCode() == ExitCode.INTERRUPTED ? "interrupted" : "error: " + e.text());
        session.err().flush();
        return e.exitCode().status();
    }

    private int execute(Session session, List<String> argv) {
        if (argv.isEmpty() || argv.equals(List.of("-h")) || argv.equals(List.of("--help"))) {
            session.out().print(Help.overview(commands));
            return ExitCode.DONE.status();
        }
        var line = argv.equals(List.of("-V")) || argv.equals(List.of("--version")) ? List.of("version") : argv;
        var command = CommandLine.find(commands, line);
        if (command == null) {
            return group(session, line);
        }
        var parsed = CommandLine.parse(command, line);
        if (parsed.wantsHelp()) {
            session.out().print(command.getHelp());
            return ExitCode.DONE.status();
        }
        try {
            return executor.execute(new CommandContext(parsed.input(), registry, session.out(), session))
                    .code();
        } catch (CommandExecutionException e) {
            throw cause(e);
        } catch (CommandNotFoundException e) {
            throw new IllegalStateException("a command of ours is not registered", e);
        }
    }

    private static RuntimeException cause(CommandExecutionException e) {
        return switch (e.getCause()) {
            case HydraException h -> h;
            case InterruptedException _ -> HydraException.interrupted();
            case RuntimeException r -> r;
            case null -> e;
            default -> HydraException.failed(String.valueOf(e.getCause().getMessage()), e.getCause());
        };
    }

    /** A first word alone, such as {@code vm}: its commands. */
    private int group(Session session, List<String> argv) {
        var word = argv.getFirst();
        var group = commands.stream()
                .filter(c -> c.isListed() && c.getName().startsWith(word + " "))
                .toList();
        if (group.isEmpty()) {
            throw HydraException.usage("there is no command `" + PlainText.shorten(word) + "`" + near(word)
                    + "`hydra help` shows what there is");
        }
        var asked = argv.size() == 2 && (argv.get(1).equals("-h") || argv.get(1).equals("--help"));
        if (argv.size() > 1 && !asked) {
            throw HydraException.usage("there is no command `" + PlainText.shorten(word + " " + argv.get(1))
                    + "`; `hydra " + word + " -h` shows what there is");
        }
        session.out().print(Help.group(group));
        return asked ? ExitCode.DONE.status() : ExitCode.USAGE.status();
    }

    private String near(String word) {
        return commands.stream()
                .map(c -> c.getName().split(" ", -1)[0])
                .distinct()
                .filter(n -> distance(n, word) <= 2)
                .min(Comparator.comparingInt(n -> distance(n, word)))
                .map(n -> "; did you mean `" + n + "`? ")
                .orElse("; ");
    }

    private void help(Invocation in) {
        var words = in.rest("COMMAND");
        if (words.isEmpty()) {
            in.out().print(Help.overview(commands));
            return;
        }
        var command = CommandLine.find(commands, words);
        if (command == null) {
            in.exit(group(in.session(), List.of(words.getFirst(), "-h")));
        } else {
            in.out().print(command.getHelp());
        }
    }

    /** Edits that part two words (Levenshtein), for short words. */
    private static int distance(String a, String b) {
        if (Math.abs(a.length() - b.length()) > 2) {
            return 3;
        }
        var row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            var diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                var above = row[j];
                row[j] = Math.min(
                        Math.min(row[j], row[j - 1]) + 1, diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.length()];
    }
}
