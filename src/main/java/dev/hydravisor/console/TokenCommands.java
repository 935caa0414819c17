package dev.hydravisor.console;

import dev.hydravisor.host.Mebibytes;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import dev.hydravisor.token.Scope;
import dev.hydravisor.token.Token;
import dev.hydravisor.token.TokenService;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.convert.DurationStyle;
import org.springframework.stereotype.Component;

/** {@code token …}: who may ask by the launch endpoint. */
@Component
class TokenCommands implements Commands {
    private static final Table<Token> LIST = facts(Table.named("NAME", Token::name));

    private record WithSecret(
            String secret,
            String id,
            String name,
            Scope scope,
            Instant created,
            @Nullable Instant expires) {}

    private final TokenService tokens;

    TokenCommands(TokenService tokens) {
        this.tokens = tokens;
    }

    @Override
    public List<HydraCommand> commands() {
        var all = String.join(",", Scope.VERBS);
        Values names = _ -> tokens.list().stream()
                .filter(t -> t.revoked() == null)
                .map(Token::name)
                .toList();
        return List.of(
                HydraCommand.named("token create", "make a token, and print its secret this once")
                        .argument("NAME", "whom it is for, such as ci", Values.any())
                        .option("allow", "VERBS", "what it may do, joined by commas", _ -> Scope.VERBS, all)
                        .option(
                                "images",
                                "GLOBS",
                                "images it may start from, such as debian*; any unless given",
                                Values.any())
                        .option("max-cpus", "N", "processors of one instance; any number unless given", Values.any())
                        .option(
                                "max-memory",
                                "SIZE",
                                "memory of one instance, such as 2G; any unless given",
                                Values.any())
                        .option("max-instances", "N", "instances at once; any number unless given", Values.any())
                        .option(
                                "expires",
                                "SPAN",
                                "when it ends by itself, such as 12h or 30d; or never",
                                Values.any(),
                                "30d")
                        .dryRun()
                        .output()
                        .details("""
                                The secret opens the launch endpoint of this host. It is kept nowhere: only a hash of it is. What the token may \
                                do, the policy may forbid; the token sees and touches only what it launched.
                                """)
                        .example(
                                "hydra token create ci --images 'debian*' --max-memory 2G --max-instances 3 --expires 30d")
                        .judged(in -> List.of(Action.of("token.create", in.argument("NAME"))))
                        .runs(this::create),
                HydraCommand.named("token list", "list the tokens")
                        .filter()
                        .output()
                        .example("hydra token list --filter name=ci")
                        .runs(in -> in.print(tokens.list(), LIST)),
                HydraCommand.named("token show", "show one token, without its secret")
                        .argument("NAME", "the token, or its id", names)
                        .output()
                        .example("hydra token show ci -o json")
                        .runs(in -> in.print(tokens.find(in.argument("NAME")), LIST)),
                HydraCommand.named("token revoke", "make a token worthless, and end its connections")
                        .argument("NAME", "the token, or its id", names)
                        .dryRun()
                        .output()
                        .details("What it launched goes on.")
                        .example("hydra token revoke ci")
                        .judged(in -> List.of(Action.of("token.revoke", in.argument("NAME"))))
                        .runs(this::revoke));
    }

    private void create(Invocation in) {
        var name = in.argument("NAME");
        var scope = scope(in);
        var lifetime = lifetime(in.requiredOption("expires"));
        tokens.checkName(name);
        if (in.dryRun()) {
            in.out()
                    .println("make token `" + name + "`, which may " + String.join(", ", scope.allow())
                            + (lifetime == null ? "" : " until " + Instant.now().plus(lifetime)));
            return;
        }
        var created = tokens.create(name, scope, lifetime);
        if (in.requiredOption("output").equals("table")) {
            in.out().println(created.secret());
            in.err().println("note: this is the secret of `" + name + "`; it is not shown again");
        } else {
            var token = created.token();
            in.print(
                    new WithSecret(
                            created.secret(),
                            token.id(),
                            token.name(),
                            token.scope(),
                            token.created(),
                            token.expires()),
                    Table.named("NAME", WithSecret::name));
        }
    }

    private void revoke(Invocation in) {
        var token = tokens.find(in.argument("NAME"));
        if (in.dryRun()) {
            in.out().println("revoke token `" + token.name() + "` and end its connections");
            return;
        }
        in.print(tokens.revoke(token.id()), LIST);
    }

    private static Scope scope(Invocation in) {
        var allow = new LinkedHashSet<>(words(in.requiredOption("allow")));
        for (var verb : allow) {
            if (!Scope.VERBS.contains(verb)) {
                throw HydraException.usage("`--allow " + PlainText.shorten(verb) + "` is unknown; there are "
                        + String.join(", ", Scope.VERBS));
            }
        }
        if (allow.isEmpty()) {
            throw HydraException.usage("`--allow` is empty; give some of " + String.join(", ", Scope.VERBS));
        }
        var images = in.option("images");
        var memory = in.option("max-memory");
        return new Scope(
                Set.copyOf(allow),
                images == null ? List.of() : words(images),
                cpus(in.option("max-cpus")),
                memory == null ? 0 : Mebibytes.of("--max-memory ", memory),
                in.option("max-instances") == null ? 0 : (int) in.number("max-instances", 1, 100_000));
    }

    private static List<String> words(String joined) {
        return Arrays.stream(joined.split(",", -1))
                .map(String::strip)
                .filter(w -> !w.isEmpty())
                .toList();
    }

    private static double cpus(@Nullable String text) {
        if (text == null) {
            return 0;
        }
        if (!text.matches("[0-9]{1,3}(\\.[0-9]{1,2})?") || Double.parseDouble(text) < 0.01) {
            throw HydraException.usage(
                    "`--max-cpus " + PlainText.shorten(text) + "` is no number of processors; write it as 2 or 0.5");
        }
        return Double.parseDouble(text);
    }

    private static @Nullable Duration lifetime(String text) {
        if (text.equals("never")) {
            return null;
        }
        if (!text.matches("[1-9][0-9]{0,5}[smhd]")) {
            throw HydraException.usage(
                    "`--expires " + PlainText.shorten(text) + "` is no span; write it as 12h or 30d, or never");
        }
        return DurationStyle.SIMPLE.parse(text);
    }

    private static Table<Token> facts(Table<Token> names) {
        return names.column("ID", Token::id)
                .column("STATE", Token::state)
                .column(
                        "ALLOW",
                        t -> String.join(
                                ",",
                                Scope.VERBS.stream().filter(t.scope()::allows).toList()))
                .column("IMAGES", t -> String.join(",", t.scope().images()))
                .column(
                        "CPUS",
                        t -> t.scope().maxCpus() == 0 ? "" : "" + t.scope().maxCpus())
                .column(
                        "MEMORY",
                        t -> t.scope().maxMemoryMib() == 0
                                ? ""
                                : PlainText.bytes(t.scope().maxMemoryMib() << 20))
                .column(
                        "INSTANCES",
                        t -> t.scope().maxInstances() == 0 ? "" : "" + t.scope().maxInstances())
                .column(
                        "EXPIRES",
                        t -> t.expires() == null ? "never" : t.expires().toString())
                .column("AGE", t -> PlainText.age(t.created()));
    }
}
