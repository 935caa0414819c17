package dev.hydravisor.console;

import dev.hydravisor.console.HydraCommand.Argument;
import dev.hydravisor.console.HydraCommand.Option;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;

/** What may stand at the end of a line: for Tab in the REPL and in the user's own shell. */
final class Completion {
    private Completion() {}

    /** A candidate, what it means, and whether more of the same word may follow (as after a folder's slash). */
    record Candidate(String text, String help, boolean partial) {}

    /**
     * The candidates for the last of {@code words}, which may be empty, given the words before it.
     *
     * @param words the line so far, without {@code hydra}
     */
    static List<Candidate> candidates(Collection<HydraCommand> commands, Session session, List<String> words) {
        var current = words.getLast();
        var before = words.subList(0, words.size() - 1);
        var command = CommandLine.find(commands, before);
        var candidates = command == null
                ? names(commands, before)
                : ofCommand(
                        command,
                        session,
                        before.subList(command.getName().split(" ", -1).length, before.size()),
                        current);
        return candidates.stream().filter(c -> c.text().startsWith(current)).toList();
    }

    private static List<Candidate> names(Collection<HydraCommand> commands, List<String> before) {
        var next = new TreeMap<String, String>();
        for (var command : commands) {
            var name = List.of(command.getName().split(" ", -1));
            if (command.isListed()
                    && name.size() > before.size()
                    && name.subList(0, before.size()).equals(before)) {
                var leaf = name.size() == before.size() + 1;
                next.merge(
                        name.get(before.size()), leaf ? command.getDescription() : "", (a, b) -> a.isEmpty() ? b : a);
            }
        }
        return next.entrySet().stream()
                .map(e -> new Candidate(e.getKey(), e.getValue(), false))
                .toList();
    }

    private static List<Candidate> ofCommand(
            HydraCommand command, Session session, List<String> given, String current) {
        int arguments = 0;
        boolean onlyArguments = false;
        for (int i = 0; i < given.size(); i++) {
            var word = given.get(i);
            if (!onlyArguments && word.equals("--")) {
                onlyArguments = true;
            } else if (!onlyArguments && word.startsWith("-") && word.length() > 1) {
                var option = option(command, word);
                if (option != null && !option.isFlag() && !word.contains("=")) {
                    if (i == given.size() - 1) {
                        return values(option.values(), session, current, "");
                    }
                    i++;
                }
            } else {
                arguments++;
            }
        }
        if (!onlyArguments && current.startsWith("-")) {
            var equals = current.indexOf('=');
            var option = equals < 0 ? null : option(command, current.substring(0, equals));
            if (option != null) {
                var prefix = current.substring(0, equals + 1);
                return values(option.values(), session, current.substring(equals + 1), prefix);
            }
            return command.options().stream()
                    .map(o -> new Candidate("--" + o.name(), o.help(), false))
                    .toList();
        }
        if (arguments >= command.arguments().size()) {
            return List.of();
        }
        Argument argument = command.arguments().get(arguments);
        return values(argument.values(), session, current, "");
    }

    private static @org.jspecify.annotations.Nullable Option option(HydraCommand command, String word) {
        return command.options().stream()
                .filter(o -> word.equals("--" + o.name()) || (o.shortName() != 0 && word.equals("-" + o.shortName())))
                .findFirst()
                .orElse(null);
    }

    private static List<Candidate> values(Values values, Session session, String current, String prefix) {
        if (values == Values.FILES) {
            return files(session, current, prefix);
        }
        try {
            return values.list(session).stream()
                    .map(v -> new Candidate(prefix + v, "", false))
                    .toList();
        } catch (RuntimeException e) {
            // Tab is no place for an error: what cannot be listed is not offered.
            return List.of();
        }
    }

    private static List<Candidate> files(Session session, String current, String prefix) {
        var slash = current.lastIndexOf('/');
        var typedFolder = slash < 0 ? "" : current.substring(0, slash + 1);
        var candidates = new ArrayList<Candidate>();
        try (var entries = Files.newDirectoryStream(session.path(typedFolder.isEmpty() ? "." : typedFolder))) {
            for (Path entry : entries) {
                var folder = Files.isDirectory(entry);
                candidates.add(
                        new Candidate(prefix + typedFolder + entry.getFileName() + (folder ? "/" : ""), "", folder));
            }
        } catch (IOException | RuntimeException e) {
            return List.of();
        }
        return candidates;
    }
}
