package dev.hydravisor.console;

import dev.hydravisor.console.HydraCommand.Option;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.shell.core.command.CommandArgument;
import org.springframework.shell.core.command.CommandOption;
import org.springframework.shell.core.command.ParsedInput;

/** Turns an argv into a command and its input. Words are taken as they are: nothing is split, joined or unquoted. */
final class CommandLine {
    private CommandLine() {}

    /** A command and what was given to it. */
    record Parsed(HydraCommand command, ParsedInput input) {
        boolean wantsHelp() {
            return input.options().stream().anyMatch(o -> "help".equals(o.longName()));
        }
    }

    /** The command whose name the argv begins with, the longest there is; null when there is none. */
    static @Nullable HydraCommand find(Collection<HydraCommand> commands, List<String> argv) {
        return commands.stream()
                .filter(c -> {
                    var name = c.getName().split(" ", -1);
                    return argv.size() >= name.length && List.of(name).equals(argv.subList(0, name.length));
                })
                .max(Comparator.comparing(c -> c.getName().length()))
                .orElse(null);
    }

    /** @throws HydraException USAGE with the remedy for whatever does not fit the command's table */
    static Parsed parse(HydraCommand command, List<String> argv) {
        var words = argv.subList(command.getName().split(" ", -1).length, argv.size());
        var options = new ArrayList<CommandOption>();
        var arguments = new ArrayList<CommandArgument>();
        var restAt = restIndex(command);
        boolean onlyArguments = false;
        for (int i = 0; i < words.size(); i++) {
            var word = words.get(i);
            if (!onlyArguments && word.equals("--")) {
                onlyArguments = true;
            } else if (onlyArguments || !word.startsWith("-") || word.equals("-")) {
                arguments.add(new CommandArgument(arguments.size(), word));
                // What belongs to the program inside is not ours to read.
                onlyArguments |= restAt >= 0 && arguments.size() > restAt;
            } else {
                i = option(command, words, i, options);
            }
        }
        var parsed = new Parsed(command, input(command, options, arguments));
        if (!parsed.wantsHelp()) {
            check(command, options, arguments, restAt);
        }
        return parsed;
    }

    /** Reads the option at {@code at}; returns where its last word is. */
    private static int option(HydraCommand command, List<String> words, int at, List<CommandOption> into) {
        var word = words.get(at);
        if (word.startsWith("--")) {
            var equals = word.indexOf('=');
            var name = equals < 0 ? word.substring(2) : word.substring(2, equals);
            var option = command.options().stream()
                    .filter(o -> o.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> unknown(command, word));
            if (option.isFlag()) {
                if (equals >= 0) {
                    throw HydraException.usage("`--" + name + "` takes no value");
                }
                into.add(given(option, "true"));
                return at;
            }
            if (equals >= 0) {
                into.add(given(option, word.substring(equals + 1)));
                return at;
            }
            return value(command, words, at, option, into);
        }
        for (int i = 1; i < word.length(); i++) {
            var letter = word.charAt(i);
            var option = command.options().stream()
                    .filter(o -> o.shortName() == letter)
                    .findFirst()
                    .orElseThrow(() -> unknown(command, word));
            if (option.isFlag()) {
                into.add(given(option, "true"));
            } else if (i + 1 < word.length()) {
                into.add(given(option, word.substring(i + 1)));
                return at;
            } else {
                return value(command, words, at, option, into);
            }
        }
        return at;
    }

    private static int value(
            HydraCommand command, List<String> words, int at, Option option, List<CommandOption> into) {
        if (at + 1 >= words.size()) {
            throw HydraException.usage(
                    "`--" + option.name() + "` wants a value (" + option.value() + "); " + seeHelp(command));
        }
        into.add(given(option, words.get(at + 1)));
        return at + 1;
    }

    private static CommandOption given(Option option, String value) {
        return CommandOption.with()
                .longName(option.name())
                .shortName(option.shortName() == 0 ? ' ' : option.shortName())
                .value(value)
                .type(option.isFlag() ? Boolean.class : String.class)
                .build();
    }

    private static void check(
            HydraCommand command, List<CommandOption> options, List<CommandArgument> arguments, int restAt) {
        for (int i = 0; i < command.arguments().size(); i++) {
            var wanted = command.arguments().get(i);
            if (wanted.required() && arguments.size() <= i) {
                throw HydraException.usage(wanted.name() + " is missing: usage: " + Help.usage(command));
            }
        }
        if (restAt < 0 && arguments.size() > command.arguments().size()) {
            throw HydraException.usage("`"
                    + PlainText.shorten(
                            arguments.get(command.arguments().size()).value())
                    + "` is one argument too many; usage: " + Help.usage(command));
        }
        for (var option : command.options()) {
            var times = options.stream()
                    .filter(o -> option.name().equals(o.longName()))
                    .count();
            if (option.required() && times == 0) {
                throw HydraException.usage("`--" + option.name() + "` is missing; " + seeHelp(command));
            }
            if (times > 1 && !option.repeatable() && !option.isFlag()) {
                throw HydraException.usage("`--" + option.name() + "` is given " + times + " times; give it once");
            }
        }
    }

    private static ParsedInput input(
            HydraCommand command, List<CommandOption> options, List<CommandArgument> arguments) {
        var input = ParsedInput.builder().commandName(command.getName());
        options.forEach(input::addOption);
        arguments.forEach(input::addArgument);
        return input.build();
    }

    private static int restIndex(HydraCommand command) {
        for (int i = 0; i < command.arguments().size(); i++) {
            if (command.arguments().get(i).rest()) {
                return i;
            }
        }
        return -1;
    }

    private static HydraException unknown(HydraCommand command, String word) {
        return HydraException.usage("there is no option `" + PlainText.shorten(word) + "`; " + seeHelp(command));
    }

    private static String seeHelp(HydraCommand command) {
        return "see `hydra " + command.getName() + " -h`";
    }
}
