package dev.hydravisor.console;

import dev.hydravisor.agent.AgentService;
import dev.hydravisor.agent.Approver;
import dev.hydravisor.host.ForeignText;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.model.Dialog;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.model.DialogTurn.Role;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.Models;
import dev.hydravisor.model.ToolRound;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import org.jline.keymap.KeyMap;
import org.jline.reader.Candidate;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.ParsedLine;
import org.jline.reader.UserInterruptException;
import org.jline.reader.Widget;
import org.jline.reader.impl.DefaultParser;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStyle;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A dialog at a terminal: the question is edited, the answer streams below it, and whatever goes wrong there is a prompt again. Without a
 * terminal each line of the input is a question.
 */
final class DialogView {
    private static final Logger log = LoggerFactory.getLogger(DialogView.class);
    private static final String PROMPT = "you> ";
    private static final int TAIL = 6;
    /** Whoever answers faster has not read what was asked: it was typed before. */
    private static final Duration READING = Duration.ofMillis(300);

    private static final List<String> COMMANDS = List.of(
            "/attach",
            "/clear",
            "/edit",
            "/exit",
            "/give",
            "/help",
            "/history",
            "/model",
            "/retry",
            "/save",
            "/screen",
            "/system",
            "/take",
            "/thinking",
            "/usage");
    private static final Set<String> WITH_ARGUMENT = Set.of("/attach", "/model", "/save", "/system", "/thinking");
    private static final int LONGEST_FILE = 256 << 10;
    private static final String HELP = """
            Enter sends, Alt-Enter begins a new line; a pasted text of several lines is one message. Ctrl-C stops the answer, Ctrl-D leaves.
              /model         the models in reach
              /model MODEL   let another model or preset answer; it gets all that was said
              /retry         ask the last question again when it has no whole answer
              /edit          change the last question and ask it anew
              /attach FILE   send this text file along with the next question
              /system TEXT   tell the models how to answer; `/system -` tells them nothing, /system alone shows it
              /save FILE     write all that was said into a new file, as Markdown
              /thinking      what the model thought before it answered; /thinking on leaves it on the screen, off folds it
              /usage         tokens, time to the first token, rate, cost where known
              /history       all that was said
              /clear         forget all that was said
              /screen        what the shell of the workspace shows
              /take          keep the shell to yourself: no model types there until /give
              /give          let models have the shell again
              /exit          leave; the dialog is kept
              //TEXT         send a message that begins with a slash
            """;

    private final Session session;
    private final Models models;
    private final Endpoint endpoint;
    private final Dialog dialog;
    private final boolean fresh;
    private final boolean interactive;
    private final PrintWriter out;
    private final boolean rich;
    private final Workspace workspace;
    private final StringBuilder attached = new StringBuilder();
    private Printer printer = new Printer();
    private boolean folded = true;
    private String thought = "";

    /** The workspace whose shell a dialog's models share; of none where {@code agents} or {@code name} is null. */
    record Workspace(
            @Nullable AgentService agents, @Nullable String name) {
        /** @throws HydraException USAGE where there is none */
        AgentService require() {
            if (agents == null || name == null) {
                throw HydraException.usage("this dialog is of no workspace; `hydra workspace open` opens one");
            }
            return agents;
        }

        String shell() {
            return String.valueOf(name);
        }
    }

    /** {@code fresh} is true for a dialog whose name the user does not know yet. */
    DialogView(Session session, Models models, Endpoint endpoint, Dialog dialog, Workspace workspace, boolean fresh) {
        this.session = session;
        this.models = models;
        this.endpoint = endpoint;
        this.dialog = dialog;
        this.workspace = workspace;
        this.fresh = fresh;
        this.interactive = session.inIsTerminal() && session.outIsTerminal();
        this.out = interactive ? session.terminal().writer() : session.out();
        if (workspace.agents() != null && workspace.name() != null) {
            workspace.agents().hands(workspace.name(), new AtTerminal()).ifPresent(dialog::lend);
        }
        this.rich = interactive && isBlank("NO_COLOR") && !"dumb".equals(session.environment("TERM"));
    }

    /** Talks until the user leaves or the input ends. Returns how it ended: at a terminal always well. */
    ExitCode run() {
        if (interactive) {
            talk();
            return ExitCode.DONE;
        }
        if (session.inIsTerminal()) {
            throw HydraException.usage(
                    "standard output is no terminal; pipe the questions in, such as `echo hi | hydra model chat MODEL`");
        }
        return answerLines();
    }

    private void talk() {
        var reader = lineReader();
        greet();
        dialog.history().stream()
                .filter(t -> t.role() == Role.USER)
                .forEach(t -> reader.getHistory().add(t.content()));
        while (true) {
            String line;
            try {
                // An interrupt meant for an answer that had just ended must not reach the prompt.
                Thread.interrupted();
                line = reader.readLine(PROMPT);
            } catch (UserInterruptException e) {
                continue;
            } catch (EndOfFileException e) {
                break;
            }
            if (line.strip().equals("/exit")) {
                break;
            }
            guarded(() -> handle(line));
        }
        if (fresh && !dialog.history().isEmpty()) {
            out.println("to go on: hydra model chat --dialog " + dialog.id());
            out.flush();
        }
    }

    private LineReader lineReader() {
        var reader = LineReaderBuilder.builder()
                .terminal(session.terminal())
                .appName("hydra")
                // Nothing in a message means anything but itself.
                .parser(new DefaultParser().quoteChars(new char[0]).escapeChars(new char[0]))
                .completer(this::complete)
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .option(LineReader.Option.HISTORY_IGNORE_SPACE, false)
                .build();
        Objects.requireNonNull(reader.getKeyMaps().get(LineReader.MAIN))
                .bind(
                        (Widget) () -> {
                            reader.getBuffer().write("\n");
                            return true;
                        },
                        KeyMap.alt('\r'),
                        KeyMap.alt('\n'));
        return reader;
    }

    private ExitCode answerLines() {
        var last = ExitCode.DONE;
        try (var lines = new BufferedReader(new InputStreamReader(session.in(), StandardCharsets.UTF_8))) {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                var message = line;
                if (message.strip().equals("/exit")) {
                    break;
                }
                last = guarded(() -> handle(message));
                if (last == ExitCode.INTERRUPTED) {
                    break;
                }
            }
        } catch (IOException e) {
            throw HydraException.failed("cannot read the questions: " + e.getMessage(), e);
        }
        return last;
    }

    /** Whatever fails becomes one line. */
    private ExitCode guarded(Runnable work) {
        try {
            work.run();
            return ExitCode.DONE;
        } catch (HydraException e) {
            if (interactive && e.exitCode() == ExitCode.INTERRUPTED) {
                line("[stopped]");
            } else {
                error(e.text());
            }
            return e.exitCode();
        } catch (RuntimeException e) {
            log.error("a dialog failed", e);
            error("something went wrong in hydra itself; see `hydra daemon logs`");
            return ExitCode.FAILED;
        }
    }

    private void handle(String line) {
        if (line.isBlank()) {
            return;
        }
        if (line.startsWith("//")) {
            say(line.substring(1));
        } else if (line.startsWith("/")) {
            command(line.strip());
        } else {
            say(line);
        }
    }

    private void command(String line) {
        var words = line.split("\\s+", 2);
        var argument = words.length == 2 ? words[1] : "";
        if (!argument.isEmpty() && !WITH_ARGUMENT.contains(words[0])) {
            throw HydraException.usage(
                    "`" + words[0] + "` takes nothing behind it; /help tells what there is, // sends a slash");
        }
        switch (words[0]) {
            case "/help" -> out.print(HELP);
            case "/model" -> model(argument);
            case "/retry" -> answer(dialog::retry);
            case "/edit" -> edit();
            case "/attach" -> attach(argument);
            case "/system" -> system(argument);
            case "/save" -> save(argument);
            case "/thinking" -> thinking(argument.strip());
            case "/usage" -> usage();
            case "/history" -> dialog.history().forEach(this::show);
            case "/screen" -> out.println(workspace.require().screen(workspace.shell()));
            case "/take" -> {
                workspace.require().take(workspace.shell());
                line("the shell is yours; /give lets models have it again");
            }
            case "/give" -> {
                workspace.require().give(workspace.shell());
                line("models may have the shell");
            }
            case "/clear" -> {
                dialog.clear();
                line("forgotten");
            }
            default ->
                throw HydraException.usage("there is no `" + PlainText.shorten(words[0])
                        + "`; /help tells what there is, // sends a message that begins with a slash");
        }
        out.flush();
    }

    private void edit() {
        var last = dialog.history().reversed().stream()
                .filter(t -> t.role() == Role.USER)
                .findFirst()
                .orElseThrow(() -> HydraException.usage("there is no question yet; type one"));
        if (!interactive) {
            throw HydraException.usage("/edit needs a terminal; ask the question anew");
        }
        try {
            var edited = lineReader().readLine(PROMPT, null, last.content());
            if (!edited.isBlank()) {
                say(edited);
            }
        } catch (UserInterruptException | EndOfFileException e) {
            throw HydraException.interrupted();
        }
    }

    private void attach(String argument) {
        if (argument.isEmpty()) {
            throw HydraException.usage("say which file: /attach FILE");
        }
        var path = session.path(argument);
        try {
            if (Files.size(path) > LONGEST_FILE) {
                throw HydraException.usage("`" + PlainText.shorten(argument) + "` has more than "
                        + PlainText.bytes(LONGEST_FILE) + "; attach a part of it");
            }
            var text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(Files.readAllBytes(path)))
                    .toString();
            attached.append("File `")
                    .append(path.getFileName())
                    .append("`:\n```\n")
                    .append(text)
                    .append("\n```\n\n");
            line("`" + path.getFileName() + "` goes along with the next question");
        } catch (CharacterCodingException e) {
            throw HydraException.usage("`" + PlainText.shorten(argument) + "` is no text in UTF-8; attach a text file");
        } catch (IOException e) {
            throw HydraException.notFound("cannot read `" + PlainText.shorten(argument) + "`; look at the name");
        }
    }

    private void system(String argument) {
        if (argument.isEmpty()) {
            var told = dialog.instruction();
            line(told.isBlank() ? "the models are told nothing; /system TEXT tells them how to answer" : told);
            return;
        }
        dialog.instruct(argument.strip().equals("-") ? "" : argument);
        line(argument.strip().equals("-") ? "the models are told nothing any more" : "the models are told so");
    }

    private void save(String argument) {
        if (argument.isEmpty()) {
            throw HydraException.usage("say where: /save FILE");
        }
        var text = new StringBuilder("# Dialog `" + dialog.id() + "`\n");
        for (var turn : dialog.history()) {
            text.append("\n## ")
                    .append(turn.role().name().toLowerCase(Locale.ROOT))
                    .append(turn.role() == Role.ASSISTANT ? " (" + turn.model() + ")" : "")
                    .append(turn.preset() == null ? "" : " as " + turn.named())
                    .append(", ")
                    .append(turn.at())
                    .append("\n\n")
                    .append(turn.content().strip())
                    .append('\n');
        }
        var path = session.path(argument);
        try {
            Files.writeString(path, text, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            line("saved to `" + path + "`");
        } catch (FileAlreadyExistsException e) {
            throw HydraException.conflict("`" + path + "` is there already; choose another name");
        } catch (IOException e) {
            throw HydraException.failed("cannot write `" + path + "`: " + e.getMessage() + "; choose another place");
        }
    }

    private void thinking(String argument) {
        switch (argument) {
            case "" -> {
                if (thought.isEmpty()) {
                    line("nothing was thought since this view was opened");
                } else if (rich) {
                    thought.stripTrailing().replace('\t', ' ').lines().forEach(each -> line(each, Markdown.DIM));
                } else {
                    out.println(thought.stripTrailing());
                }
            }
            case "on", "off" -> {
                folded = argument.equals("off");
                line(folded ? "what is thought is folded when it has ended" : "what is thought stays on the screen");
            }
            default -> throw HydraException.usage("type /thinking, /thinking on or /thinking off");
        }
    }

    private void usage() {
        var usage = dialog.usage();
        if (usage.answers() == 0) {
            line("nothing was answered since this view was opened");
            return;
        }
        line(usage.answers() + " answers, " + usage.questionTokens() + " tokens sent, " + usage.answerTokens()
                + " tokens said");
        line(String.format(
                Locale.ROOT,
                "the last: first token after %d ms, whole after %d ms%s",
                usage.firstToken().toMillis(),
                usage.whole().toMillis(),
                usage.rate() == 0 ? "" : String.format(Locale.ROOT, ", %.1f tokens/s", usage.rate())));
        if (usage.cost() > 0) {
            line(String.format(Locale.ROOT, "cost: $%.4f, by the prices in config.yaml", usage.cost()));
        }
    }

    private void model(String argument) {
        if (!argument.isEmpty()) {
            var info = dialog.switchModel(models.named(argument.strip()));
            line("now " + called(info) + " answers");
            warnIfRemote(info);
            return;
        }
        var listing = models.list(endpoint);
        listing.models()
                .forEach(m -> line((m.model().equals(dialog.model()) ? "* " : "  ")
                        + m.model()
                        + (m.base() == null ? "" : " = " + m.base())
                        + (m.remote() ? "   (on " + m.where() + ")" : "")));
        listing.failures().values().forEach(e -> error(e.text()));
    }

    private void greet() {
        var history = dialog.history();
        if (history.size() > TAIL) {
            line("… " + (history.size() - TAIL) + " earlier turns; /history shows them");
        }
        history.stream().skip(Math.max(0, history.size() - TAIL)).forEach(this::show);
        line("talking with `" + dialog.model() + "`; /help tells what there is");
        guarded(() -> {
            var info = models.find(dialog.model(), endpoint);
            if (info.base() != null) {
                line("which is `" + info.base() + "`");
            }
            warnIfRemote(info);
        });
    }

    private static String called(ModelInfo info) {
        return "`" + info.model() + "`" + (info.base() == null ? "" : " (`" + info.base() + "`)");
    }

    private void warnIfRemote(ModelInfo info) {
        if (info.remote()) {
            note("`" + info.model() + "` runs on " + info.where() + ": what you say leaves this machine");
        }
    }

    private void show(DialogTurn turn) {
        if (turn.role() == Role.TOOL) {
            ToolRound.parse(turn.content())
                    .calls()
                    .forEach(c -> exactly("  " + c.name() + " " + PlainText.shorten(c.arguments())));
            return;
        }
        var who = turn.role() == Role.SYSTEM
                ? "system> "
                : turn.role() == Role.USER ? PROMPT : (turn.named() == null ? "model" : turn.named()) + "> ";
        var mark = mark(turn.finish());
        var said = ForeignText.plain(turn.content()).stripTrailing();
        if (rich && turn.role() == Role.ASSISTANT && !said.isEmpty()) {
            var live = new LiveText(session.terminal());
            live.show(Markdown.lines(Markdown.blocks(said, who, live.columns())));
            live.end();
            if (!mark.isEmpty()) {
                line(mark);
            }
            return;
        }
        out.println(who + said + (mark.isEmpty() ? "" : " " + mark));
    }

    private static String mark(Finish finish) {
        return switch (finish) {
            case COMPLETE -> "";
            case LENGTH -> "[the model's limit]";
            case INTERRUPTED -> "[stopped]";
            case CUT -> "[cut off]";
            case FAILED -> "[no answer]";
        };
    }

    private void say(String text) {
        var whole = attached + text;
        attached.setLength(0);
        answer(listener -> dialog.say(whole, listener));
    }

    private interface Question {
        DialogTurn ask(Dialog.Listener listener);
    }

    private void answer(Question question) {
        printer = new Printer();
        try {
            var answer = question.ask(printer);
            printer.end();
            if (answer.content().isEmpty()) {
                line("[the answer is empty]");
            } else if (answer.finish() != Finish.COMPLETE) {
                line(mark(answer.finish()));
            }
        } finally {
            printer.end();
        }
    }

    private void complete(LineReader reader, ParsedLine line, List<Candidate> candidates) {
        var typed = line.line();
        if (typed.startsWith("/model ")) {
            models.list(endpoint)
                    .models()
                    .forEach(m -> candidates.add(new Candidate(m.model().toString())));
        } else if (typed.startsWith("/") && line.wordIndex() == 0) {
            COMMANDS.forEach(c -> candidates.add(new Candidate(c)));
        }
    }

    private void line(String text) {
        line(text, AttributedStyle.DEFAULT);
    }

    /** At a terminal no word is broken. */
    private void line(String text, AttributedStyle style) {
        if (!rich) {
            exactly(text);
            return;
        }
        for (var line : Markdown.wrap(new AttributedString(PlainText.safe(text), style), columns(session.terminal()))) {
            out.println(Markdown.ansi(line));
        }
        out.flush();
    }

    /** As it is, blanks and all: what is asked for word for word. */
    private void exactly(String text) {
        (interactive ? out : session.err()).println(PlainText.safe(text));
        (interactive ? out : session.err()).flush();
    }

    private void note(String text) {
        line("note: " + text, Markdown.DIM);
    }

    private static int columns(Terminal terminal) {
        return terminal.getWidth() > 0 ? terminal.getWidth() : 80;
    }

    private void error(String text) {
        line("error: " + text);
    }

    private boolean isBlank(String variable) {
        var value = session.environment(variable);
        return value == null || value.isBlank();
    }

    /** Asks the user at this terminal; where there is none nothing is allowed. */
    private final class AtTerminal implements Approver {
        private static final String CHOICES = "[y]es, [a]lways this very one, [n]o";

        @Override
        public Answer ask(Request request) {
            printer.end();
            if (!interactive) {
                tell("refused: " + request.tool() + " " + request.subject() + " (" + request.reason()
                        + ", and there is no terminal to ask at)");
                return new Answer.No();
            }
            line(dialog.model() + " wants to " + request.tool() + ":");
            exactly("  " + request.subject());
            request.detail().lines().forEach(DialogView.this::exactly);
            while (true) {
                var shown = System.nanoTime();
                var answer = read("allow? " + CHOICES + (request.editable() ? ", [e]dit" : "") + "> ", "");
                if (System.nanoTime() - shown < READING.toNanos()) {
                    line("that was typed before the question could be read; answer again");
                    continue;
                }
                switch (answer.strip().toLowerCase(Locale.ROOT)) {
                    case "y", "yes" -> {
                        return new Answer.Once();
                    }
                    case "a", "always" -> {
                        return new Answer.Always();
                    }
                    case "n", "no" -> {
                        return new Answer.No();
                    }
                    case "e", "edit" -> {
                        var edited = request.editable() ? read("run> ", request.subject()) : "";
                        if (!edited.isBlank()) {
                            return new Answer.Instead(edited);
                        }
                    }
                    default -> {}
                }
            }
        }

        private String read(String prompt, String typed) {
            var reader = LineReaderBuilder.builder()
                    .terminal(session.terminal())
                    .parser(new DefaultParser().quoteChars(new char[0]).escapeChars(new char[0]))
                    .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                    .variable(LineReader.DISABLE_HISTORY, true)
                    .build();
            try {
                return reader.readLine(prompt, null, typed);
            } catch (UserInterruptException | EndOfFileException e) {
                throw HydraException.interrupted();
            }
        }

        @Override
        public void tell(String text) {
            printer.end();
            exactly("  " + text);
        }
    }

    /** Prints an answer as it comes; what was thought before it is shown at a terminal only, dimmed, and folded when it has ended. */
    private final class Printer implements Dialog.Listener {
        private static final int THOUGHTS = 5;

        private final StringBuilder thoughts = new StringBuilder();
        private @Nullable LiveText live;
        private @Nullable MarkdownStream answer;
        private boolean named;
        private boolean midLine;
        private boolean thinking;
        private int window;
        private long since;

        @Override
        public void token(String text) {
            if (thinking) {
                end();
            }
            var name = interactive && !named ? dialog.model() + "> " : "";
            named = true;
            if (rich) {
                if (answer == null) {
                    answer = new MarkdownStream(live(), name);
                }
                answer.append(text);
            } else {
                print(name + text);
            }
        }

        @Override
        public void thinking(String text) {
            if (!interactive) {
                return;
            }
            if (!thinking) {
                end();
                since = System.nanoTime();
                thoughts.setLength(0);
                window = 0;
            }
            thoughts.append(text);
            if (rich && folded) {
                live().show(window());
            } else {
                print((thinking ? "" : rich ? "\033[2m" : "(thinks) ") + text);
            }
            thinking = true;
        }

        /** The last lines of what is thought. A line that is there stays as it is: it is not broken anew with each piece. */
        private List<AttributedString> window() {
            var lines = Markdown.wrap(
                    new AttributedString(thoughts.substring(window).replace('\t', ' '), Markdown.DIM),
                    live().columns());
            var dropped = Math.max(0, lines.size() - THOUGHTS);
            for (var line : lines.subList(0, dropped)) {
                window += line.length();
                if (" \n".indexOf(thoughts.charAt(window)) >= 0) {
                    window++;
                }
            }
            return lines.subList(dropped, lines.size());
        }

        private LiveText live() {
            if (live == null) {
                live = new LiveText(session.terminal());
            }
            return live;
        }

        @Override
        public void notice(String line) {
            end();
            note(line);
        }

        private void print(String text) {
            if (text.isEmpty()) {
                return;
            }
            out.print(text);
            out.flush();
            midLine = !text.endsWith("\n");
        }

        /** Ends what was printed so far, so that a new line begins. */
        void end() {
            if (thinking) {
                thought = thoughts.toString();
                if (rich && folded) {
                    var told = String.format(
                            Locale.ROOT, "thought for %.1f s; /thinking shows it", (System.nanoTime() - since) / 1e9);
                    live().show(Markdown.wrap(new AttributedString(told, Markdown.DIM), live().columns()));
                } else if (rich) {
                    out.print("\033[22m");
                }
            }
            thinking = false;
            if (live != null) {
                live.end();
            }
            answer = null;
            if (midLine) {
                out.println();
            }
            midLine = false;
            out.flush();
        }
    }
}
