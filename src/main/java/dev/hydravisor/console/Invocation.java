package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.PrintWriter;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.ExitStatus;

/** One run of a command: its arguments and options as parsed, and where its output goes. */
public final class Invocation {
    private final HydraCommand command;
    private final CommandContext context;
    private final Session session;
    private ExitStatus exitStatus = ExitStatus.OK;

    private Invocation(HydraCommand command, CommandContext context, Session session) {
        this.command = command;
        this.context = context;
        this.session = session;
    }

    static Invocation of(HydraCommand command, CommandContext context) {
        return new Invocation(command, context, (Session) context.inputReader());
    }

    public HydraCommand command() {
        return command;
    }

    public Session session() {
        return session;
    }

    public PrintWriter out() {
        return session.out();
    }

    public PrintWriter err() {
        return session.err();
    }

    /** The value of a required argument. */
    public String argument(String placeholder) {
        var value = argumentOrNull(placeholder);
        if (value == null) {
            throw new IllegalStateException("`" + command.getName() + "` has no required argument " + placeholder);
        }
        return value;
    }

    public @Nullable String argumentOrNull(String placeholder) {
        var index = index(placeholder);
        return context.parsedInput().arguments().stream()
                .filter(a -> a.index() == index)
                .findFirst()
                .map(a -> a.value())
                .orElse(null);
    }

    /** What was typed for the argument that takes the rest of the line. */
    public List<String> rest(String placeholder) {
        var index = index(placeholder);
        return context.parsedInput().arguments().stream()
                .filter(a -> a.index() >= index)
                .map(a -> a.value())
                .toList();
    }

    public boolean flag(String longName) {
        return !all(longName).isEmpty();
    }

    /** The value of an option, or its default; null when it has neither. */
    public @Nullable String option(String longName) {
        var given = all(longName);
        if (!given.isEmpty()) {
            return given.getLast();
        }
        return option(command, longName).fallback();
    }

    /** The value of a required option, or of one with a default. */
    public String requiredOption(String longName) {
        var value = option(longName);
        if (value == null) {
            throw HydraException.usage("`--" + longName + "` is missing; see `hydra " + command.getName() + " -h`");
        }
        return value;
    }

    /** All values of a repeatable option, in the order they were given. */
    public List<String> all(String longName) {
        option(command, longName);
        return context.parsedInput().options().stream()
                .filter(o -> longName.equals(o.longName()))
                .map(o -> o.value())
                .toList();
    }

    /** An option as a whole number. */
    public long number(String longName, long min, long max) {
        var text = requiredOption(longName);
        try {
            var number = Long.parseLong(text);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw HydraException.usage("`--" + longName + "` is `" + PlainText.shorten(text)
                + "`; give a whole number from " + min + " to " + max);
    }

    /** An operation whose stages, progress and notices the user sees on stderr. */
    public Operation operation() {
        return new Operation(new ProgressView(session));
    }

    public boolean dryRun() {
        return flag("dry-run");
    }

    /** Prints a list in the format that {@code -o} asks for. */
    public <T> void print(List<T> rows, Table<T> table) {
        new Output(this).list(rows, table);
    }

    /** Prints one record in the format that {@code -o} asks for; as a table, a field a line. */
    public <T> void print(T row, Table<T> table) {
        new Output(this).one(row, table);
    }

    /** Ends with another status than 0 without an error line, as for a program that ran and failed. */
    public void exit(int status) {
        exitStatus = new ExitStatus(status, "");
    }

    ExitStatus exitStatus() {
        return exitStatus;
    }

    private int index(String placeholder) {
        var arguments = command.arguments();
        for (int i = 0; i < arguments.size(); i++) {
            if (arguments.get(i).name().equals(placeholder)) {
                return i;
            }
        }
        throw new IllegalArgumentException("`" + command.getName() + "` has no argument " + placeholder);
    }

    private static HydraCommand.Option option(HydraCommand command, String longName) {
        return command.options().stream()
                .filter(o -> o.name().equals(longName))
                .findFirst()
                .orElseThrow(
                        () -> new IllegalArgumentException("`" + command.getName() + "` has no option --" + longName));
    }
}
