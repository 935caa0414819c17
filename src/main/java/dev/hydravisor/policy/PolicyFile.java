package dev.hydravisor.policy;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/** Reads the rules of a file, each with its line, and says of each line that is wrong what is. */
final class PolicyFile {
    static final int LONGEST = 1 << 20;

    private static final int LONGEST_PATTERN = 1000;
    private static final int MOST_COPIES = 1000;
    private static final Pattern REPETITION = Pattern.compile("\\{([0-9]{1,9})(?:,([0-9]{1,9})?)?\\}");
    private static final Set<String> KEYS = Set.of(
            "rule",
            "who",
            "actions",
            "instances",
            "images",
            "pattern",
            "max-cpus",
            "max-memory",
            "max-disk",
            "networks",
            "mounts",
            "ports",
            "reason");

    private final String name;
    private final boolean tightens;
    private final List<Problem> problems = new ArrayList<>();
    private final List<Rule> rules = new ArrayList<>();

    /**
     * Something wrong.
     *
     * @param line from 1
     * @param what in one line, without its place
     */
    record Problem(int line, String what) {}

    /** @param rules those that are right, in their order; of use only where there is no problem */
    record Parsed(List<Rule> rules, List<Problem> problems) {}

    private PolicyFile(String name, boolean tightens) {
        this.name = name;
        this.tightens = tightens;
    }

    /**
     * Reads a file's text.
     *
     * @param name of the file, for its rules
     * @param tightens whether its rules may only deny and ask
     */
    static Parsed parse(String name, String text, boolean tightens) {
        var file = new PolicyFile(name, tightens);
        try {
            file.read(text);
        } catch (MarkedYAMLException e) {
            var mark = e.getProblemMark();
            file.problem(mark == null ? 1 : mark.getLine() + 1, "this is no YAML: " + e.getProblem());
        } catch (YAMLException | StackOverflowError e) {
            file.problem(1, "this is no YAML: " + e.getMessage());
        }
        file.problems.sort(Comparator.comparingInt(Problem::line));
        return new Parsed(List.copyOf(file.rules), List.copyOf(file.problems));
    }

    private void read(String text) {
        var options = new LoaderOptions();
        options.setCodePointLimit(LONGEST);
        options.setNestingDepthLimit(10);
        options.setMaxAliasesForCollections(10);
        var root = new Yaml(options).compose(new StringReader(text));
        if (root == null) {
            return; // comments alone
        }
        for (var entry : fields(root, Set.of("rules"), "a policy").entrySet()) {
            if (entry.getValue() instanceof SequenceNode list) {
                list.getValue().forEach(this::rule);
            } else {
                problem(entry.getValue(), "`rules` is a list; begin each rule with `- rule: `");
            }
        }
    }

    private void rule(Node node) {
        var before = problems.size();
        var fields = fields(node, KEYS, "a rule");
        var effect = effect(node, fields.get("rule"));
        var rule = new Rule(
                name,
                line(node),
                effect,
                globs(fields, "who"),
                globs(fields, "actions"),
                globs(fields, "instances"),
                globs(fields, "images"),
                read(fields, "pattern", PolicyFile::pattern),
                read(fields, "max-cpus", PolicyFile::cpus),
                read(fields, "max-memory", t -> Mebibytes.of("", t)),
                read(fields, "max-disk", t -> Mebibytes.gibibytes("", t)),
                globs(fields, "networks"),
                globs(fields, "mounts"),
                list(fields, "ports", PolicyFile::ports),
                read(fields, "reason", PlainText::safe));
        var who = fields.get("who");
        if (who != null && rule.who() != null) {
            rule.who().stream()
                    .filter(g -> !g.text().matches("(?:\\*|(?:user|model|token):.+).*"))
                    .forEach(g -> problem(
                            who,
                            "`" + PlainText.shorten(g.text()) + "` is nobody; write user:NAME, model:PROVIDER:ID,"
                                    + " token:NAME or *"));
        }
        if (tightens && effect == Effect.ALLOW) {
            problem(node, "a project's own policy can only deny and ask; allow it in $HYDRA_HOME/policy.yaml");
        }
        if (problems.size() == before) {
            rules.add(rule);
        }
    }

    private Effect effect(Node rule, @Nullable Node node) {
        if (node == null) {
            if (rule instanceof MappingNode) {
                problem(rule, "`rule` is missing; it is allow, ask or deny");
            }
            return Effect.DENY;
        }
        var text = text(node, "rule");
        for (var effect : Effect.values()) {
            if (text != null && effect.name().equals(text.toUpperCase(Locale.ROOT))) {
                return effect;
            }
        }
        if (text != null) {
            problem(node, "`rule` is `" + PlainText.shorten(text) + "`; write allow, ask or deny");
        }
        return Effect.DENY;
    }

    private Map<String, Node> fields(Node node, Set<String> known, String what) {
        var fields = new HashMap<String, Node>();
        if (!(node instanceof MappingNode mapping)) {
            problem(node, what + " is a mapping, such as `rule: deny`");
            return fields;
        }
        for (var tuple : mapping.getValue()) {
            var key = tuple.getKeyNode() instanceof ScalarNode s ? s.getValue() : "";
            if (!known.contains(key)) {
                problem(
                        tuple.getKeyNode(),
                        "there is no key `" + PlainText.shorten(key) + "` in " + what + "; there "
                                + (known.size() == 1 ? "is " : "are ")
                                + String.join(", ", known.stream().sorted().toList()));
            } else if (fields.put(key, tuple.getValueNode()) != null) {
                problem(tuple.getKeyNode(), "`" + key + "` stands twice in one rule; leave one");
            }
        }
        return fields;
    }

    private @Nullable List<Glob> globs(Map<String, Node> fields, String key) {
        return list(fields, key, Glob::of);
    }

    private <T> @Nullable List<T> list(Map<String, Node> fields, String key, Function<String, T> read) {
        var node = fields.get(key);
        if (node == null) {
            return null;
        }
        var of = node instanceof SequenceNode s ? s.getValue() : List.of(node);
        if (of.isEmpty()) {
            problem(node, "`" + key + "` names nothing; leave it out, or name something");
        }
        var values = new ArrayList<T>();
        for (var one : of) {
            var value = value(one, key, read);
            if (value != null) {
                values.add(value);
            }
        }
        return List.copyOf(values);
    }

    private <T> @Nullable T read(Map<String, Node> fields, String key, Function<String, T> read) {
        var node = fields.get(key);
        return node == null ? null : value(node, key, read);
    }

    private <T> @Nullable T value(Node node, String key, Function<String, T> read) {
        var text = text(node, key);
        if (text == null) {
            return null;
        }
        try {
            return read.apply(text);
        } catch (HydraException e) {
            problem(node, "`" + key + "`: " + e.text());
            return null;
        }
    }

    private @Nullable String text(Node node, String key) {
        if (node instanceof ScalarNode scalar && !scalar.getValue().isEmpty()) {
            if (scalar.getValue().length() <= LONGEST_PATTERN) {
                return scalar.getValue();
            }
            problem(node, "`" + key + "` has more than " + LONGEST_PATTERN + " characters");
            return null;
        }
        problem(node, "`" + key + "` is no text; write a word, in quotes where it has signs of YAML's own");
        return null;
    }

    private static Pattern pattern(String text) {
        // Each repetition is a copy, and one in another multiplies.
        long copies = 1;
        for (var m = REPETITION.matcher(text); m.find() && copies <= MOST_COPIES; ) {
            copies *= Math.max(1, Long.parseLong(m.group(2) == null ? m.group(1) : m.group(2)));
        }
        if (copies > MOST_COPIES) {
            throw HydraException.usage("`" + PlainText.shorten(text) + "` repeats its parts more than " + MOST_COPIES
                    + " times in all; write * or +");
        }
        try {
            return Pattern.compile(text, Pattern.DOTALL);
        } catch (PatternSyntaxException e) {
            throw HydraException.usage("`" + PlainText.shorten(text) + "` is no regular expression (RE2): "
                    + PlainText.safe(String.valueOf(e.getDescription())));
        }
    }

    private static Double cpus(String text) {
        try {
            var number = Double.parseDouble(text);
            if (number >= 0 && number <= 100_000) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw HydraException.usage("`" + PlainText.shorten(text) + "` is no number of processors; write one such as 2");
    }

    private static Ports ports(String text) {
        var ports = Ports.of(text);
        if (ports == null) {
            throw HydraException.usage("`" + PlainText.shorten(text)
                    + "` names no ports; write * or [ADDRESS:]PORT[-PORT], such as 127.0.0.1:8000-8999");
        }
        return ports;
    }

    private static int line(Node node) {
        return node.getStartMark().getLine() + 1;
    }

    private void problem(Node node, String what) {
        problem(line(node), what);
    }

    private void problem(int line, String what) {
        problems.add(new Problem(line, PlainText.safe(what)));
    }
}
