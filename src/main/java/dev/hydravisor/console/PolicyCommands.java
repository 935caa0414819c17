package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import dev.hydravisor.policy.Effect;
import dev.hydravisor.policy.Policy;
import dev.hydravisor.policy.Rule;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.CommandRegistry;
import org.springframework.stereotype.Component;

/** {@code policy …}. */
@Component
class PolicyCommands implements Commands {
    /** A rule, for a reader. */
    private record Shown(String rule, String who, String actions, String conditions, String reason, String place) {
        static Shown of(Rule r) {
            return new Shown(
                    word(r.effect()),
                    r.who() == null ? "*" : words(r.who()),
                    r.actions() == null ? "*" : words(r.actions()),
                    r.conditions(),
                    Objects.requireNonNullElse(r.reason(), ""),
                    r.place());
        }
    }

    /** What the policy says of one action. */
    private record Judged(String action, String target, String decision, String reason, String rule) {}

    private static final Table<Shown> RULES = Table.named("RULE", Shown::rule)
            .column("WHO", Shown::who)
            .column("ACTIONS", Shown::actions)
            .column("CONDITIONS", Shown::conditions)
            .column("REASON", Shown::reason)
            .column("PLACE", Shown::place);
    private static final Table<Judged> JUDGED = Table.named("ACTION", Judged::action)
            .column("TARGET", Judged::target)
            .column("DECISION", Judged::decision)
            .column("RULE", Judged::rule)
            .column("REASON", Judged::reason);
    private static final Values ACTORS = Values.of("user:", "model:", "token:");

    private final Policy policy;
    private final ObjectProvider<Console> console;

    PolicyCommands(Policy policy, ObjectProvider<Console> console) {
        this.policy = policy;
        this.console = console;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("policy show", "show the rules that are in force, in the order they are looked at")
                        .option("as", "ACTOR", "only those of user:NAME, model:PROVIDER:ID or token:NAME", ACTORS)
                        .filter()
                        .output()
                        .details("""
                                A rule that denies wins over every other; of the rest the first that fits counts; what no rule fits is
                                denied. Those of this folder's .hydra/policy.yaml stand first and can only ask and deny.
                                """)
                        .example("hydra policy show --as token:ci")
                        .runs(this::show),
                HydraCommand.named("policy validate", "check a file of rules, or those in force")
                        .optionalArgument("FILE", "the file; yours and this folder's unless given", Values.files())
                        .flag("project", "it is a project's own, which can only ask and deny")
                        .details("Says each thing that is wrong with its line. The exit status is 1 when something is.")
                        .example("hydra policy validate ./policy.yaml")
                        .runs(this::validate),
                HydraCommand.named("policy check", "say what the policy would do with a command, and by which rule")
                        .option("as", "ACTOR", "user:NAME, model:PROVIDER:ID or token:NAME; you unless given", ACTORS)
                        .rest("COMMAND", "a command of hydra's with its arguments; it is not run")
                        .output()
                        .details("The exit status is 6 when a part of it is denied.")
                        .example("hydra policy check --as token:ci vm create web --image debian-13 --cpus 2")
                        .runs(this::check));
    }

    private void show(Invocation in) {
        var as = in.option("as");
        in.print(
                policy.rules(as == null ? null : Actor.parse(as), in.session().workingDirectory()).stream()
                        .map(Shown::of)
                        .toList(),
                RULES);
    }

    private void validate(Invocation in) {
        var given = in.argumentOrNull("FILE");
        var found = new ArrayList<Policy.Validated>();
        if (given != null) {
            found.add(policy.validate(in.session().path(given), in.flag("project")));
        } else {
            var project = in.session().path(Policy.PROJECT);
            if (Files.exists(policy.users())) {
                found.add(policy.validate(policy.users(), false));
            }
            if (Files.exists(project)) {
                found.add(policy.validate(project, true));
            }
        }
        var wrong = 0;
        for (var file : found) {
            wrong += file.problems().size();
            file.problems().forEach(p -> in.err().println(PlainText.safe(p)));
            if (file.problems().isEmpty()) {
                in.out()
                        .println(PlainText.safe(file.file()) + ": " + file.rules()
                                + (file.rules() == 1 ? " rule" : " rules"));
            }
        }
        if (found.isEmpty()) {
            in.out().println("there is no `" + policy.users() + "`; the default rules are in force");
        }
        if (wrong > 0) {
            throw HydraException.failed(wrong + (wrong == 1 ? " thing is" : " things are")
                    + " wrong; nothing is allowed by a file until it is right");
        }
    }

    private void check(Invocation in) throws Exception {
        var words = in.rest("COMMAND");
        var line = !words.isEmpty() && words.getFirst().equals("hydra") ? words.subList(1, words.size()) : words;
        var request = Request.current();
        var as = in.option("as");
        var asked = as == null ? request : request.as(Actor.parse(as));
        var command = CommandLine.find(console.getObject().commands(), line);
        if (command == null) {
            throw HydraException.usage("`" + PlainText.shorten(String.join(" ", line))
                    + "` is no command of hydra's; `hydra help` shows what there is");
        }
        var parsed = CommandLine.parse(command, line);
        var actions = command.actions(new CommandContext(
                parsed.input(), new CommandRegistry(), in.session().out(), in.session()));
        var judged = actions.stream()
                .map(action -> {
                    var decision = policy.judge(asked, action);
                    return new Judged(
                            action.name(),
                            action.target(),
                            word(decision.effect()),
                            decision.reason(),
                            decision.rule());
                })
                .toList();
        if (judged.isEmpty()) {
            throw HydraException.usage("`" + command.getName()
                    + "` changes nothing and lets nobody in, so no rule is asked; check a command that does");
        }
        in.print(judged, JUDGED);
        if (judged.stream().anyMatch(j -> !j.decision().equals(word(Effect.ALLOW)))) {
            in.exit(ExitCode.DENIED.status());
        }
    }

    private static String words(List<?> globs) {
        return String.join(" ", globs.stream().map(Object::toString).toList());
    }

    private static String word(Effect effect) {
        return effect.name().toLowerCase(Locale.ROOT);
    }
}
