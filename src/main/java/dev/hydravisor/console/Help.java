package dev.hydravisor.console;

import dev.hydravisor.console.HydraCommand.Argument;
import dev.hydravisor.console.HydraCommand.Option;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;

/** The text of {@code -h}, from the table of a command. */
final class Help {
    private Help() {}

    static String of(HydraCommand command) {
        var text = new StringBuilder();
        text.append(command.getDescription())
                .append("\n\nUsage: ")
                .append(usage(command))
                .append('\n');
        if (!command.details().isEmpty()) {
            text.append('\n').append(command.details().strip()).append('\n');
        }
        if (!command.arguments().isEmpty()) {
            text.append("\nArguments:\n");
            rows(
                    text,
                    command.arguments().stream()
                            .map(a -> new String[] {a.name(), a.help()})
                            .toList());
        }
        text.append("\nOptions:\n");
        rows(
                text,
                command.options().stream()
                        .sorted(Comparator.comparing((Option o) -> o.name().equals("help"))
                                .thenComparing(o -> !o.required()))
                        .map(o -> new String[] {signature(o), describe(o)})
                        .toList());
        if (!command.examples().isEmpty()) {
            text.append("\nExample:\n");
            command.examples().forEach(e -> text.append("  ").append(e).append('\n'));
        }
        return text.toString();
    }

    /** The one-line usage. */
    static String usage(HydraCommand command) {
        var usage = new StringBuilder("hydra ").append(command.getName());
        for (Argument a : command.arguments()) {
            var shown = a.rest() ? "[--] " + a.name() + "…" : a.name();
            usage.append(' ').append(a.required() ? shown : "[" + shown + "]");
        }
        for (Option o : command.options()) {
            if (o.required()) {
                usage.append(" --").append(o.name()).append(' ').append(o.value());
            }
        }
        return usage.append(" [options]").toString();
    }

    /** All commands by group, for {@code hydra help} and {@code hydra -h}. */
    static String overview(Collection<HydraCommand> commands) {
        var groups = new TreeMap<String, List<HydraCommand>>();
        commands.stream()
                .filter(c -> c.isListed())
                .sorted(Comparator.comparing(HydraCommand::getName))
                .forEach(c -> groups.computeIfAbsent(c.getGroup(), _ -> new java.util.ArrayList<>())
                        .add(c));
        var text = new StringBuilder("""
                hydra runs VMs and containers side by side with AI models.

                Usage: hydra                     the console, with completion and history
                       hydra COMMAND [options]   one command; `hydra COMMAND -h` tells of it
                       hydra -f FILE             the commands in a file, one a line (`-` reads stdin)

                Commands:
                """);
        var width = commands.stream().mapToInt(c -> c.getName().length()).max().orElse(0);
        groups.values()
                .forEach(group -> group.forEach(c -> text.append("  ")
                        .append(c.getName())
                        .append(" ".repeat(width - c.getName().length() + 2))
                        .append(c.getDescription())
                        .append('\n')));
        text.append("""

                Options before the command:
                  -f, --file FILE   run a script; stops at the first failure unless --keep-going
                  --keep-going      go on after a failed line of a script
                  --in-process      run without a daemon, in this process
                  --reconnect       when the daemon goes away, wait and begin the command anew
                  -V, --version     the versions of client and daemon

                Example:
                  hydra vm create web --image debian-13 --model ollama:llama3.2 --attach
                """);
        return text.toString();
    }

    /** All about every command, as a Markdown page. */
    static String reference(Collection<HydraCommand> commands) {
        var page = new StringBuilder("""
                # Commands

                Made from the commands' own tables by `hydra __reference`; a test fails when it is stale.
                """);
        commands.stream()
                .filter(c -> c.isListed())
                .forEach(c -> page.append("\n## ")
                        .append(c.getName())
                        .append("\n\n```\n")
                        .append(c.getHelp())
                        .append("```\n"));
        return page.toString();
    }

    /** The commands of one group. */
    static String group(Collection<HydraCommand> commands) {
        var text = new StringBuilder("Commands:\n");
        rows(
                text,
                commands.stream()
                        .map(c -> new String[] {c.getName(), c.getDescription()})
                        .toList());
        return text.append("\n`hydra COMMAND -h` tells of one.\n").toString();
    }

    static String signature(Option option) {
        var shortName = option.shortName() == 0 ? "    " : "-" + option.shortName() + ", ";
        return shortName + "--" + option.name() + (option.isFlag() ? "" : " " + option.value());
    }

    private static String describe(Option option) {
        var text = option.help();
        if (option.required()) {
            text += " (required)";
        }
        if (option.repeatable()) {
            text += " (repeatable)";
        }
        return option.fallback() == null ? text : text + " (default: " + option.fallback() + ")";
    }

    private static void rows(StringBuilder text, List<String[]> rows) {
        var width = rows.stream().mapToInt(r -> r[0].length()).max().orElse(0);
        rows.forEach(r -> text.append("  ")
                .append(r[0])
                .append(" ".repeat(width - r[0].length() + 2))
                .append(r[1])
                .append('\n'));
    }
}
