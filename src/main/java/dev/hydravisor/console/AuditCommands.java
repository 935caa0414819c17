package dev.hydravisor.console;

import dev.hydravisor.audit.Audit;
import dev.hydravisor.audit.Entry;
import dev.hydravisor.audit.Verified;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.List;
import org.springframework.stereotype.Component;

/** {@code audit …}. */
@Component
class AuditCommands implements Commands {
    private static final Table<Entry> TABLE = Table.<Entry>named("NUMBER", e -> "" + e.number())
            .column("TIME", Entry::time)
            .column("ACTOR", Entry::actor)
            .column("ACTION", Entry::action)
            .column("TARGET", e -> PlainText.shorten(e.target()))
            .column("OUTCOME", Entry::outcome)
            .column("DETAIL", e -> PlainText.shorten(e.detail()))
            .column("REASON", e -> PlainText.shorten(e.reason()))
            .column("RULE", Entry::rule)
            .column("REQUEST", Entry::request);

    private static final Table<Verified> VERIFIED = Table.<Verified>named("RECORDS", v -> "" + v.records())
            .column("HEAD", Verified::head)
            .column("WRONG", v -> "" + v.problems().size());

    private final Audit audit;

    AuditCommands(Audit audit) {
        this.audit = audit;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("audit list", "list what was done, by whom, and what came of it")
                        .option("last", "COUNT", "the last so many records", Values.of("100", "1000"), "1000")
                        .filter()
                        .output()
                        .details("""
                                An action is on record twice: as `begun`, or `approved` by a user, before it is done, and then as `done`,
                                `failed`, `interrupted` or `undone`. What was refused is `denied`.
                                """)
                        .example("hydra audit list --filter actor=token:ci --filter outcome=denied")
                        .runs(in -> in.print(audit.last((int) in.number("last", 1, 1_000_000)), TABLE)),
                HydraCommand.named("audit follow", "show each record as it is made, until Ctrl-C")
                        .example("hydra audit follow")
                        .runs(this::follow),
                HydraCommand.named("audit verify", "check that no record was changed, removed, moved or added")
                        .output()
                        .details("""
                                Looks through the file and the database and compares them. HEAD, noted elsewhere, shows later that all up
                                to it is as it was. The exit status is 1 when something is wrong.
                                """)
                        .example("hydra audit verify")
                        .runs(this::verify),
                HydraCommand.named("audit export", "print every record as a line of JSON")
                        .example("hydra audit export > audit.jsonl")
                        .runs(in -> audit.export(in.out()::println)));
    }

    private void follow(Invocation in) throws InterruptedException {
        var now = audit.last(10);
        now.forEach(e -> show(in, e));
        audit.follow(now.isEmpty() ? 0 : now.getLast().number(), e -> show(in, e));
    }

    private static void show(Invocation in, Entry e) {
        in.out()
                .println(PlainText.safe(String.join(
                        "  ",
                        e.time(),
                        e.actor(),
                        e.action(),
                        PlainText.shorten(e.target()),
                        e.outcome(),
                        PlainText.shorten(e.reason().isEmpty() ? e.detail() : e.reason()))));
        in.out().flush();
    }

    private void verify(Invocation in) {
        var found = audit.verify();
        in.print(found, VERIFIED);
        found.problems().forEach(p -> in.err().println(PlainText.safe(p)));
        found.notes().forEach(n -> in.err().println("note: " + PlainText.safe(n)));
        if (!found.ok()) {
            throw HydraException.failed("the audit trail is not as it was written; `hydra audit export` shows what the"
                    + " database has, keep a copy of both stores");
        }
    }
}
