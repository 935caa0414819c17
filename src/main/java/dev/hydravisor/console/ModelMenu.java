package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jline.reader.Candidate;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jspecify.annotations.Nullable;

/** Lets a user at a terminal choose a model: first where it comes from, then which. */
final class ModelMenu {
    private static final String PRESETS = "presets";
    private static final String BACK = "back";
    private static final String NOT_SET_UP = "not set up; sign in with `aws configure` or `aws sso login`";

    private final Session session;
    private final Models models;
    private final Endpoint endpoint;

    /** A line of the menu. */
    private record Choice(String name, String about) {}

    ModelMenu(Session session, Models models) {
        this.session = session;
        this.models = models;
        this.endpoint = Endpoint.of(session::environment);
    }

    /** @throws HydraException INTERRUPTED when the user leaves it without a choice */
    ModelRef choose() {
        while (true) {
            var listing = models.list(endpoint);
            var sources = new ArrayList<Choice>();
            for (var provider : models.providers(endpoint, false)) {
                var failure = listing.failures().get(provider.provider());
                sources.add(new Choice(
                        provider.provider(),
                        failure != null
                                ? failure.text()
                                : provider.problem() != null
                                        ? provider.problem()
                                        : provider.setUp() ? provider.access() : NOT_SET_UP));
            }
            var presets =
                    listing.models().stream().filter(m -> m.base() != null).toList();
            if (!presets.isEmpty()) {
                sources.add(new Choice(PRESETS, "model, instruction and parameters, from config.yaml"));
            }
            var source = ask("source", sources, null);
            var offered = source.equals(PRESETS)
                    ? presets
                    : listing.models().stream()
                            .filter(m -> m.model().provider().equals(source))
                            .toList();
            if (offered.isEmpty()) {
                print(sources.stream()
                        .filter(s -> s.name().equals(source))
                        .map(s -> listing.failures().containsKey(source)
                                        || s.about().equals(NOT_SET_UP)
                                ? source + ": " + s.about()
                                : source + " has no model; `hydra model pull " + source + ":NAME` downloads one")
                        .findFirst()
                        .orElseThrow());
                continue;
            }
            var preferred = models.preferred().map(ModelRef::toString).orElse(null);
            var choices = new ArrayList<>(offered.stream()
                    .map(m -> new Choice(m.model().toString(), about(m)))
                    .toList());
            choices.add(new Choice(BACK, "another source"));
            var chosen = ask(
                    "model", choices, offered.size() == 1 ? choices.getFirst().name() : preferred);
            if (!chosen.equals(BACK)) {
                return models.named(chosen);
            }
        }
    }

    private static String about(ModelInfo model) {
        var facts = new ArrayList<String>();
        if (model.base() != null) {
            facts.add(model.base().toString());
        }
        if (!model.parameters().isEmpty()) {
            facts.add(model.parameters());
        }
        if (model.context() != null) {
            facts.add(model.context() + " tokens");
        }
        model.abilities().stream().filter(a -> !a.equals("completion")).forEach(facts::add);
        if (model.remote()) {
            facts.add("on " + model.where());
        } else if (model.loaded()) {
            facts.add("loaded");
        }
        return String.join(", ", facts);
    }

    /**
     * Asks until one is chosen, by its number, its name, or a part that no other name has; Enter alone takes {@code preferred}, or the
     * only one.
     */
    private String ask(String what, List<Choice> choices, @Nullable String preferred) {
        var names = choices.stream().map(Choice::name).toList();
        var fallback = names.size() == 1 ? names.getFirst() : names.contains(preferred) ? preferred : null;
        show(choices, "");
        var reader = LineReaderBuilder.builder()
                .terminal(session.terminal())
                .completer((_, _, candidates) -> names.forEach(n -> candidates.add(new Candidate(n))))
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .variable(LineReader.DISABLE_HISTORY, true)
                .build();
        while (true) {
            String typed;
            try {
                typed = reader.readLine(what + (fallback == null ? "> " : " [" + fallback + "]> "))
                        .strip();
            } catch (UserInterruptException | EndOfFileException e) {
                throw HydraException.interrupted();
            }
            if (typed.isEmpty() && fallback != null) {
                return fallback;
            }
            if (names.contains(typed)) {
                return typed;
            }
            if (typed.matches("[0-9]{1,4}") && !typed.matches("0+") && Integer.parseInt(typed) <= names.size()) {
                return names.get(Integer.parseInt(typed) - 1);
            }
            var part = typed.toLowerCase(Locale.ROOT);
            var alike = part.isEmpty()
                    ? List.<String>of()
                    : names.stream()
                            .filter(n -> n.toLowerCase(Locale.ROOT).contains(part))
                            .toList();
            if (alike.size() == 1) {
                return alike.getFirst();
            }
            if (alike.isEmpty()) {
                print("type a number from 1 to " + names.size() + ", or a part of a name; Ctrl-C leaves");
            } else {
                show(choices, part);
            }
        }
    }

    /** Those whose name holds {@code part}, with the numbers they have among all. */
    private void show(List<Choice> choices, String part) {
        var width = choices.stream().mapToInt(c -> c.name().length()).max().orElse(0);
        for (int i = 0; i < choices.size(); i++) {
            var choice = choices.get(i);
            if (choice.name().toLowerCase(Locale.ROOT).contains(part)) {
                print("%3d  %-" + width + "s  %s", i + 1, choice.name(), choice.about());
            }
        }
    }

    private void print(String format, Object... values) {
        session.terminal()
                .writer()
                .println(PlainText.safe(values.length == 0 ? format : String.format(format, values))
                        .stripTrailing());
        session.terminal().writer().flush();
    }
}
