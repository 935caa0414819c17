package dev.hydravisor.console;

import dev.hydravisor.operation.HydraException;
import java.util.List;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.stereotype.Component;

/** Completion in the user's own shell, and the reference page: both read from the commands' tables. */
@Component
class CompletionCommands implements Commands {
    private static final String BASH = """
            # hydra's completion for bash: source <(hydra completion bash)
            _hydra() {
                local IFS=$'\\n' line
                COMPREPLY=()
                for line in $(hydra __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
                    COMPREPLY+=("$(printf '%q' "${line%%$'\\t'*}")")
                done
                [[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace
            }
            complete -F _hydra hydra
            """;
    private static final String ZSH = """
            #compdef hydra
            # hydra's completion for zsh: source <(hydra completion zsh)
            _hydra() {
                local -a lines candidates
                lines=("${(@f)$(hydra __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
                for line in $lines; do
                    candidates+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
                done
                _describe hydra candidates
            }
            compdef _hydra hydra
            """;
    private static final String FISH = """
            # hydra's completion for fish: hydra completion fish | source
            complete -c hydra -f -a '(hydra __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
            """;

    private final ObjectProvider<Console> console;

    CompletionCommands(ObjectProvider<Console> console) {
        this.console = console;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("completion", "print the completion script for a shell")
                        .argument("SHELL", "bash, zsh or fish", Values.of("bash", "zsh", "fish"))
                        .example("source <(hydra completion bash)")
                        .runs(in -> in.out().print(script(in.argument("SHELL")))),
                HydraCommand.named("__complete", "print what may stand at the end of a line")
                        .rest("WORDS", "the line so far, the last word unfinished")
                        .hidden()
                        .example("hydra __complete -- vm st")
                        .runs(this::complete),
                HydraCommand.named("__reference", "print the reference of all commands as Markdown")
                        .hidden()
                        .example("hydra __reference > docs/commands.md")
                        .runs(in -> in.out()
                                .print(Help.reference(console.getObject().commands()))));
    }

    private void complete(Invocation in) {
        var words = in.rest("WORDS");
        Completion.candidates(console.getObject().commands(), in.session(), words.isEmpty() ? List.of("") : words)
                .forEach(c -> in.out().println(c.text() + "\t" + c.help()));
    }

    private static String script(String shell) {
        return switch (shell) {
            case "bash" -> BASH;
            case "zsh" -> ZSH;
            case "fish" -> FISH;
            default ->
                throw HydraException.usage("there is no script for `" + shell + "`; there are bash, zsh and fish");
        };
    }
}
