package dev.hydravisor.console;

import dev.hydravisor.host.Check;
import dev.hydravisor.host.Check.Finding;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.wire.Version;
import java.util.List;
import org.springframework.stereotype.Component;

/** {@code doctor} and {@code version}: hydra itself and the machine under it. */
@Component
final class SystemCommands implements Commands {
    private static final Table<Finding> FINDINGS = Table.<Finding>named("CHECK", Finding::subject)
            .column("RESULT", f -> f.level().name().toLowerCase(java.util.Locale.ROOT))
            .column("FOUND", Finding::detail)
            .column("REMEDY", Finding::remedy);

    private record Versions(String hydra, String java, String kernel) {}

    private static final Table<Versions> VERSIONS = Table.<Versions>named("HYDRA", Versions::hydra)
            .column("JAVA", Versions::java)
            .column("KERNEL", Versions::kernel);

    private final List<Check> checks;

    SystemCommands(List<Check> checks) {
        this.checks = checks;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("doctor", "look at all hydra needs of this machine, and say what to do")
                        .output()
                        .filter()
                        .details("Ends with 0 when nothing is wrong, 1 when something is; warnings are not wrong.")
                        .example("hydra doctor")
                        .runs(this::doctor),
                HydraCommand.named("version", "say the versions of hydra, its Java and the kernel")
                        .output()
                        .example("hydra version -o json")
                        .runs(in -> in.print(
                                new Versions(
                                        Version.current(),
                                        Runtime.version().toString(),
                                        System.getProperty("os.name") + " " + System.getProperty("os.version")),
                                VERSIONS)));
    }

    private void doctor(Invocation in) {
        var findings = checks.parallelStream()
                .flatMap(c -> c.findings(in.session()::environment).stream())
                .toList();
        in.print(findings, FINDINGS);
        if (findings.stream().anyMatch(f -> f.level() == Check.Level.ERROR)) {
            in.exit(ExitCode.FAILED.status());
        }
    }
}
