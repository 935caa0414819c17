package dev.hydravisor.console;

import dev.hydravisor.policy.Action;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.shell.core.command.Command;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.CommandOption;
import org.springframework.shell.core.command.ExitStatus;

/**
 * A command of the console, in Spring Shell's registry. One table says its arguments, options, completions, help and example; the
 * parser, Tab, {@code -h}, the shell completions and the reference page are all read from it.
 *
 * <pre>{@code
 * HydraCommand.named("vm stop", "stop a VM")
 *         .argument("NAME", "the VM", names.instances())
 *         .flag("force", "pull the plug when it does not stop by itself")
 *         .example("hydra vm stop web --force")
 *         .runs(in -> instances.stop(in.operation(), in.argument("NAME"), in.flag("force")));
 * }</pre>
 */
public final class HydraCommand implements Command {
    /** The work of a command. What it throws becomes the error line and the exit code. */
    @FunctionalInterface
    public interface Handler {
        void run(Invocation in) throws Exception;
    }

    /** What a run of a command is about to do, for the policy. */
    @FunctionalInterface
    public interface Judged {
        List<Action> actions(Invocation in) throws Exception;
    }

    /**
     * A positional argument.
     *
     * @param rest true for the one that takes all that is left, as typed
     */
    public record Argument(String name, String help, Values values, boolean required, boolean rest) {}

    /**
     * An option.
     *
     * @param value the placeholder of its value in the help, such as {@code IMG}; null for a flag
     * @param fallback its value when it is not given; null when there is none
     * @param repeatable true when it may be given several times
     */
    public record Option(
            String name,
            char shortName,
            @Nullable String value,
            String help,
            Values values,
            boolean required,
            boolean repeatable,
            @Nullable String fallback) {
        public boolean isFlag() {
            return value == null;
        }
    }

    private final Builder table;
    private final Handler handler;

    private HydraCommand(Builder table, Handler handler) {
        this.table = table;
        this.handler = handler;
    }

    /** Begins a command: its full name, such as {@code vm create}, and what it does in one short line without a full stop. */
    public static Builder named(String name, String summary) {
        return new Builder(name, summary);
    }

    @Override
    public String getName() {
        return table.name;
    }

    @Override
    public String getDescription() {
        return table.summary;
    }

    /** The first word of the name: {@code vm create} and {@code vm list} are of one group. */
    @Override
    public String getGroup() {
        var blank = table.name.indexOf(' ');
        return blank < 0 ? "" : table.name.substring(0, blank);
    }

    /** Whether help and completion tell of it. Spring Shell would not even run one that it thinks hidden. */
    public boolean isListed() {
        return !table.hidden;
    }

    @Override
    public String getHelp() {
        return Help.of(this);
    }

    @Override
    public List<CommandOption> getOptions() {
        return table.options.stream()
                .map(o -> CommandOption.with()
                        .longName(o.name())
                        .shortName(o.shortName() == 0 ? ' ' : o.shortName())
                        .description(o.help())
                        .required(o.required())
                        .type(o.isFlag() ? Boolean.class : String.class)
                        .build())
                .toList();
    }

    public List<Argument> arguments() {
        return List.copyOf(table.arguments);
    }

    public List<Option> options() {
        return List.copyOf(table.options);
    }

    public List<String> examples() {
        return List.copyOf(table.examples);
    }

    /** More than the summary, as paragraphs; empty when the summary says it all. */
    public String details() {
        return table.details;
    }

    /** What a run would do that the policy judges; empty when it changes nothing and lets nobody in. */
    public List<Action> actions(CommandContext context) throws Exception {
        return table.judged.actions(Invocation.of(this, context));
    }

    @Override
    public ExitStatus execute(CommandContext context) throws Exception {
        var invocation = Invocation.of(this, context);
        handler.run(invocation);
        return invocation.exitStatus();
    }

    /** Collects a command's table. */
    public static final class Builder {
        private final String name;
        private final String summary;
        private final List<Argument> arguments = new ArrayList<>();
        private final List<Option> options = new ArrayList<>();
        private final List<String> examples = new ArrayList<>();
        private String details = "";
        private boolean hidden;
        private Judged judged = _ -> List.of();

        private Builder(String name, String summary) {
            this.name = name;
            this.summary = summary;
            flag("help", 'h', "show this help");
        }

        /** A required argument. */
        public Builder argument(String placeholder, String help, Values values) {
            arguments.add(new Argument(placeholder, help, values, true, false));
            return this;
        }

        public Builder optionalArgument(String placeholder, String help, Values values) {
            arguments.add(new Argument(placeholder, help, values, false, false));
            return this;
        }

        /** The last argument: all that is left of the line, as typed; a {@code --} before it is taken away. */
        public Builder rest(String placeholder, String help) {
            arguments.add(new Argument(placeholder, help, Values.any(), false, true));
            return this;
        }

        public Builder option(String longName, String placeholder, String help, Values values) {
            options.add(new Option(longName, (char) 0, placeholder, help, values, false, false, null));
            return this;
        }

        public Builder option(String longName, String placeholder, String help, Values values, String fallback) {
            options.add(new Option(longName, (char) 0, placeholder, help, values, false, false, fallback));
            return this;
        }

        public Builder requiredOption(String longName, String placeholder, String help, Values values) {
            options.add(new Option(longName, (char) 0, placeholder, help, values, true, false, null));
            return this;
        }

        public Builder repeatableOption(String longName, String placeholder, String help, Values values) {
            options.add(new Option(longName, (char) 0, placeholder, help, values, false, true, null));
            return this;
        }

        public Builder flag(String longName, String help) {
            return flag(longName, (char) 0, help);
        }

        public Builder flag(String longName, char shortName, String help) {
            options.add(new Option(longName, shortName, null, help, Values.any(), false, false, null));
            return this;
        }

        /** {@code -o}: what {@link Invocation#print} writes. */
        public Builder output() {
            options.add(new Option(
                    "output",
                    'o',
                    "FORMAT",
                    "table, json, yaml or name",
                    Values.of("table", "json", "yaml", "name"),
                    false,
                    false,
                    "table"));
            return this;
        }

        /** {@code --filter}, for lists: {@link Invocation#print} obeys it. */
        public Builder filter() {
            return repeatableOption(
                    "filter",
                    "FIELD=VALUE",
                    "only rows whose field has this value; `~` instead of `=` matches a part of it",
                    Values.any());
        }

        /** {@code --dry-run}: {@link Invocation#dryRun} says the plan instead. */
        public Builder dryRun() {
            return flag("dry-run", "say what would be done, and do nothing");
        }

        public Builder details(String paragraphs) {
            details = paragraphs;
            return this;
        }

        /** A worked example: a whole command line, as a user would type it in a shell. */
        public Builder example(String line) {
            examples.add(line);
            return this;
        }

        /** What of it the policy judges, as the services do when it runs; nothing may be done to find out. */
        public Builder judged(Judged actions) {
            judged = actions;
            return this;
        }

        /** Leaves it out of help and completion. */
        public Builder hidden() {
            hidden = true;
            return this;
        }

        public HydraCommand runs(Handler handler) {
            return new HydraCommand(this, handler);
        }
    }
}
