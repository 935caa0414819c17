package dev.hydravisor.model;

import dev.hydravisor.host.ForeignText;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.model.DialogTurn.Role;
import dev.hydravisor.model.Provider.Failure;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.model.tool.ToolCallingChatOptions;
import org.springframework.ai.tool.ToolCallback;
import org.springframework.ai.tool.definition.ToolDefinition;

/**
 * One exchange of a user and a model.
 *
 * <p>Every question and every answer is stored when it is complete. With each question all that was said before goes to the model, but
 * for questions that got no answer, and for what the model's context cannot hold: then the oldest questions with their answers are left
 * out, so that what is sent takes at most three quarters of the context, a token being counted as three bytes; a quarter is for the
 * answer. The listener is told when that begins and when it takes more.
 *
 * <p>A model that was lent {@link Hands} may ask for tools in place of an answer; what they return goes to it, until it answers. One
 * that cannot use them is asked without; the listener is told.
 */
public final class Dialog {
    private static final int ATTEMPTS = 3;
    private static final Set<Finish> WHOLE = Set.of(Finish.COMPLETE, Finish.LENGTH);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);
    private static final Duration WINDOW_KNOWN = Duration.ofMinutes(1);

    /** Smaller than any model's context: a dialog below it is never trimmed, and nobody is asked. */
    private static final int SURELY_FITS = 1000;

    /** Hears an answer, on the thread that asked. What it throws ends the answer as an interrupt does. */
    @FunctionalInterface
    public interface Listener {
        /** The next piece of the answer, safe for a terminal. */
        void token(String text);

        /** The next piece of what the model thinks before it answers, safe for a terminal. */
        default void thinking(String text) {}

        /** One line the user should see although nothing failed. */
        default void notice(String line) {}
    }

    private final Dialogs dialogs;
    private final Models models;
    private final String id;
    private final Endpoint endpoint;
    private volatile ModelRef model;
    private volatile @Nullable Hands hands;
    private volatile @Nullable ModelInfo able;
    private final Set<ModelRef> toolless = ConcurrentHashMap.newKeySet();
    private volatile Usage usage = new Usage(0, 0, 0, Duration.ZERO, Duration.ZERO, 0, 0);
    private volatile @Nullable Window window;
    private int leftOut;

    Dialog(Dialogs dialogs, Models models, String id, ModelRef model, Endpoint endpoint) {
        this.dialogs = dialogs;
        this.models = models;
        this.id = id;
        this.model = model;
        this.endpoint = endpoint;
    }

    public String id() {
        return id;
    }

    public ModelRef model() {
        return model;
    }

    /** Lets the models of this dialog use tools from now on. */
    public void lend(Hands hands) {
        this.hands = hands;
    }

    /** All that was said, oldest first. */
    public List<DialogTurn> history() {
        return dialogs.history(id);
    }

    /**
     * Lets another model answer from now on; it gets all that was said.
     *
     * @throws HydraException as {@link Models#find}; the model stays as it was then
     */
    public ModelInfo switchModel(ModelRef ref) {
        var info = models.find(ref, endpoint);
        model = ref;
        leftOut = 0;
        return info;
    }

    /**
     * Tells the models how to answer, from now on and in place of what they were told before.
     *
     * @param text empty to tell them nothing any more
     */
    public void instruct(String text) {
        dialogs.store(new DialogTurn(id, Role.SYSTEM, null, null, null, text, Finish.COMPLETE, Dialogs.now()));
    }

    /** What the models are told; empty for nothing. */
    public String instruction() {
        return instruction(history());
    }

    private static String instruction(List<DialogTurn> history) {
        return history.stream()
                .filter(t -> t.role() == Role.SYSTEM)
                .reduce("", (_, t) -> t.content(), (_, last) -> last);
    }

    /**
     * What this dialog has taken since it was opened.
     *
     * @param answers turns of models, tool calls included
     * @param questionTokens tokens sent, where the provider counts them
     * @param answerTokens tokens said
     * @param firstToken of the last answer: from the question to the first token
     * @param whole of the last answer
     * @param rate tokens a second of the last answer, after its first; 0 where that is not known
     * @param cost US dollars, of the models whose price is known
     */
    public record Usage(
            int answers,
            long questionTokens,
            long answerTokens,
            Duration firstToken,
            Duration whole,
            double rate,
            double cost) {}

    public Usage usage() {
        return usage;
    }

    private void count(ModelRef asked, Reader reader, long start) {
        var first = Duration.ofNanos(reader.first == 0 ? 0 : reader.first - start);
        var whole = Duration.ofNanos(System.nanoTime() - start);
        var seconds = whole.minus(first).toNanos() / 1e9;
        usage = new Usage(
                usage.answers() + 1,
                usage.questionTokens() + reader.questionTokens,
                usage.answerTokens() + reader.answerTokens,
                first,
                whole,
                reader.answerTokens > 1 && seconds > 0 ? (reader.answerTokens - 1) / seconds : 0,
                usage.cost() + models.cost(asked, reader.questionTokens, reader.answerTokens));
    }

    /** Forgets all that was said. */
    public void clear() {
        dialogs.clear(id);
        leftOut = 0;
    }

    /**
     * Asks, and blocks until the answer is complete; where the dialog is just being answered elsewhere, it waits for that first.
     *
     * @return the answer as it was stored
     * @throws HydraException one line that says what to do: INTERRUPTED when this thread was interrupted, else
     *     why the model did not answer. The question is kept, and so is what came of the answer; the next question can be asked at once
     */
    public DialogTurn say(String text, Listener listener) {
        if (text.isBlank()) {
            throw HydraException.usage("there is nothing to say; type a question");
        }
        return exclusively(listener, () -> {
            dialogs.store(turn(Role.USER, model, null, text, Finish.COMPLETE));
            return answer(history(), listener);
        });
    }

    /**
     * Asks the last question again, as {@link #say} does, when it has no whole answer. What came of it before is left out.
     *
     * @throws HydraException CONFLICT when it has one
     */
    public DialogTurn retry(Listener listener) {
        return exclusively(listener, () -> {
            var history = history();
            int question = lastQuestion(history);
            if (question < 0
                    || (history.getLast().role() == Role.ASSISTANT
                            && WHOLE.contains(history.getLast().finish()))) {
                throw HydraException.conflict("there is no question without a whole answer; type a new one");
            }
            // What tools did for it is done: the model goes on from there.
            var kept = new ArrayList<>(history.subList(0, question + 1));
            history.stream()
                    .skip(question + 1)
                    .filter(t -> t.role() == Role.TOOL)
                    .forEach(kept::add);
            return answer(kept, listener);
        });
    }

    private static int lastQuestion(List<DialogTurn> history) {
        int question = history.size() - 1;
        while (question >= 0 && history.get(question).role() != Role.USER) {
            question--;
        }
        return question;
    }

    private DialogTurn exclusively(Listener listener, Callable<DialogTurn> work) {
        try {
            return dialogs.exclusively(
                    id,
                    () -> listener.notice("`" + id + "` is just being answered elsewhere, and this waits for its turn"),
                    work);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw HydraException.failed(String.valueOf(e.getMessage()), e);
        }
    }

    private DialogTurn answer(List<DialogTurn> history, Listener listener) {
        var asked = model;
        var text = new StringBuilder();
        try {
            if (models.offline()) {
                models.find(asked, endpoint);
            }
            try {
                return answer(asked, history, text, listener);
            } catch (Toolless e) {
                return answer(asked, history, text, listener);
            }
        } catch (InterruptedException e) {
            keep(asked, text, Finish.INTERRUPTED);
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (RuntimeException e) {
            var stopped = e instanceof HydraException h && h.exitCode() == ExitCode.INTERRUPTED;
            keep(asked, text, stopped ? Finish.INTERRUPTED : text.isEmpty() ? Finish.FAILED : Finish.CUT);
            throw e;
        }
    }

    private DialogTurn answer(ModelRef asked, List<DialogTurn> history, StringBuilder text, Listener listener)
            throws InterruptedException {
        try (var task = task(asked, listener)) {
            var messages = new ArrayList<>(messages(asked, history, task, listener));
            while (true) {
                var reader = stream(asked, messages, task, text, listener);
                if (task == null || reader.calls.isEmpty()) {
                    return dialogs.store(turn(
                            Role.ASSISTANT,
                            asked,
                            models.identityIfSoon(asked, endpoint),
                            text.toString(),
                            reader.finish));
                }
                task.task().turn(reader.questionTokens + reader.answerTokens);
                var round = use(asked, task, text.toString(), reader.calls);
                text.setLength(0);
                messages.addAll(messages(round));
            }
        }
    }

    private DialogTurn turn(Role role, ModelRef asked, @Nullable String identity, String content, Finish finish) {
        var preset = asked.provider().equals(ModelRef.PRESET) ? asked.id() : null;
        return new DialogTurn(id, role, models.base(asked), preset, identity, content, finish, Dialogs.now());
    }

    /** The hands of one task, as Spring AI knows tools. */
    private record Work(Hands.Task task, String briefing, List<ToolCallback> tools) implements AutoCloseable {
        @Override
        public void close() {
            task.close();
        }
    }

    private @Nullable Work task(ModelRef asked, Listener listener) {
        var lent = hands;
        if (lent == null) {
            return null;
        }
        var abilities = abilities(asked);
        if (!abilities.isEmpty() && !abilities.contains("tools")) {
            foundToolless(asked, listener);
        }
        if (toolless.contains(asked)) {
            return null;
        }
        var preset = asked.provider().equals(ModelRef.PRESET) ? asked.id() : null;
        var task = lent.begin(models.base(asked), preset);
        return new Work(
                task,
                lent.briefing(),
                lent.tools().stream().map(t -> callback(t, task)).toList());
    }

    /** True when that was not known before; then the user is told. */
    private boolean foundToolless(ModelRef asked, Listener listener) {
        var found = toolless.add(asked);
        if (found) {
            listener.notice("`" + asked + "` cannot use tools; it can only talk");
        }
        return found;
    }

    private List<String> abilities(ModelRef asked) {
        var known = able;
        if (known == null || !known.model().equals(asked)) {
            try {
                known = models.find(asked, endpoint);
            } catch (HydraException e) {
                return List.of(); // the question itself will say why
            }
            able = known;
        }
        return known.abilities();
    }

    private static ToolCallback callback(Tool tool, Hands.Task task) {
        var definition = ToolDefinition.builder()
                .name(tool.name())
                .description(tool.description())
                .inputSchema(tool.schema())
                .build();
        return new ToolCallback() {
            @Override
            public ToolDefinition getToolDefinition() {
                return definition;
            }

            @Override
            public String call(String arguments) {
                try {
                    return task.use(tool.name(), arguments);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw HydraException.interrupted();
                }
            }
        };
    }

    /** Does what the model asks for, and stores it with its results whatever happens. */
    private ToolRound use(ModelRef asked, Work work, String said, List<AssistantMessage.ToolCall> calls) {
        var done = new ArrayList<ToolRound.Call>();
        try {
            for (var call : calls) {
                var result = work.tools().stream()
                        .filter(t -> t.getToolDefinition().name().equals(call.name()))
                        .findFirst()
                        .map(t -> t.call(call.arguments()))
                        .orElse("error: there is no such tool");
                done.add(new ToolRound.Call(call.id(), call.name(), call.arguments(), result));
            }
        } finally {
            calls.stream()
                    .skip(done.size())
                    .forEach(c -> done.add(
                            new ToolRound.Call(c.id(), c.name(), c.arguments(), "error: the user stopped the task")));
            dialogs.store(turn(Role.TOOL, asked, null, new ToolRound(said, done).json(), Finish.COMPLETE));
        }
        return new ToolRound(said, done);
    }

    private void keep(ModelRef asked, StringBuilder text, Finish finish) {
        var identity = text.isEmpty() ? null : models.identityIfSoon(asked, endpoint);
        dialogs.store(turn(Role.ASSISTANT, asked, identity, text.toString(), finish));
    }

    /** Streams one answer into {@code text}; asks again, a few times, as long as the model has said nothing at all. */
    private Reader stream(
            ModelRef asked, List<Message> messages, @Nullable Work work, StringBuilder text, Listener listener)
            throws InterruptedException {
        var target = models.target(asked);
        var provider = target.provider();
        var id = target.model().id();
        for (int attempt = 1; ; attempt++) {
            var reader = new Reader(text, listener);
            var start = System.nanoTime();
            Failure failure;
            try {
                var chat = provider.chat(endpoint, id, target.parameters());
                Answer.read(chat.stream(prompt(messages, chat.getOptions(), work)), provider.patience(), reader::take);
                count(asked, reader, start);
                return reader;
            } catch (ListenerFailed e) {
                throw e.cause;
            } catch (RuntimeException e) {
                failure = provider.explain(e, endpoint, id);
            }
            if (failure.toolless() && !reader.said && foundToolless(asked, listener)) {
                throw new Toolless();
            }
            var pause = failure.retryAfter();
            if (reader.said || pause == null || attempt == ATTEMPTS || pause.compareTo(LONGEST_PAUSE) > 0) {
                throw failure.error();
            }
            if (!pause.isZero()) {
                pause = pause.multipliedBy(attempt);
                listener.notice(failure.error().text().replaceFirst("; [^;]*$", "") + "; asking again in "
                        + pause.toSeconds() + " s");
                Thread.sleep(pause);
            }
        }
    }

    private static Prompt prompt(List<Message> messages, ChatOptions options, @Nullable Work work) {
        return work != null && options instanceof ToolCallingChatOptions able
                ? new Prompt(messages, able.mutate().toolCallbacks(work.tools()).build())
                : new Prompt(messages);
    }

    private List<Message> messages(ModelRef asked, List<DialogTurn> history, @Nullable Work work, Listener listener) {
        var messages = new ArrayList<Message>();
        if (work != null) {
            messages.add(new SystemMessage(work.briefing()));
        }
        var target = models.target(asked);
        if (!target.system().isEmpty()) {
            messages.add(new SystemMessage(target.system()));
        }
        var instruction = instruction(history);
        if (!instruction.isBlank()) {
            messages.add(new SystemMessage(instruction));
        }
        var exchanges = exchanges(history, toolless.contains(asked));
        int total =
                tokens(messages) + exchanges.stream().mapToInt(Dialog::tokens).sum();
        var window = total <= SURELY_FITS ? OptionalInt.empty() : window(target);
        int first = 0;
        if (window.isPresent()) {
            int room = window.getAsInt() / 4 * 3;
            for (; total > room && first < exchanges.size() - 1; first++) {
                total -= tokens(exchanges.get(first));
            }
            if (first > leftOut) {
                listener.notice("the first " + 2 * first + " turns no longer fit into the " + window.getAsInt()
                        + " tokens of `" + asked + "` and are not sent; /clear begins anew");
            }
            if (total > room) {
                listener.notice("the question itself takes more than the " + window.getAsInt() + " tokens of `" + asked
                        + "` leave room for; the model may not see all of it");
            }
        }
        leftOut = first;
        exchanges.stream().skip(first).forEach(messages::addAll);
        return messages;
    }

    /** Asked once a minute: the first token waits for it, and it changes only when the model is loaded anew. */
    private OptionalInt window(Models.Target target) {
        var wanted = target.parameters().context();
        if (wanted != null) {
            return OptionalInt.of(wanted);
        }
        var known = window;
        if (known == null
                || !known.model().equals(target.model())
                || System.nanoTime() - known.since() > WINDOW_KNOWN.toNanos()) {
            known = new Window(
                    target.model(),
                    target.provider().window(endpoint, target.model().id()),
                    System.nanoTime());
            window = known;
        }
        return known.tokens();
    }

    private record Window(ModelRef model, OptionalInt tokens, long since) {}

    /**
     * Each question with what tools did for it and the last answer it got, and at the end the one to be answered; those that got
     * nothing are left out.
     *
     * @param told whether what tools did is told in words, to a model that knows nothing of tools
     */
    private static List<List<Message>> exchanges(List<DialogTurn> history, boolean told) {
        var exchanges = new ArrayList<List<Message>>();
        var last = lastQuestion(history);
        for (int i = 0; i < history.size(); i++) {
            if (history.get(i).role() != Role.USER) {
                continue;
            }
            var exchange = new ArrayList<Message>(
                    List.of(new UserMessage(history.get(i).content())));
            var answer = "";
            for (int j = i + 1; j < history.size() && history.get(j).role() != Role.USER; j++) {
                var turn = history.get(j);
                if (turn.role() == Role.TOOL) {
                    var round = ToolRound.parse(turn.content());
                    exchange.addAll(told ? told(round) : messages(round));
                } else if (turn.role() == Role.ASSISTANT && !turn.content().isEmpty()) {
                    answer = turn.content();
                }
            }
            if (i == last) {
                exchanges.add(exchange);
            } else if (!answer.isEmpty() || exchange.size() > 1) {
                exchange.add(new AssistantMessage(answer.isEmpty() ? "(stopped)" : answer));
                exchanges.add(exchange);
            }
        }
        return exchanges;
    }

    private static List<Message> messages(ToolRound round) {
        return List.of(
                AssistantMessage.builder()
                        .content(round.text())
                        .toolCalls(round.calls().stream()
                                .map(c -> new AssistantMessage.ToolCall(c.id(), "function", c.name(), c.arguments()))
                                .toList())
                        .build(),
                ToolResponseMessage.builder()
                        .responses(round.calls().stream()
                                .map(c -> new ToolResponseMessage.ToolResponse(c.id(), c.name(), c.result()))
                                .toList())
                        .build());
    }

    private static List<Message> told(ToolRound round) {
        var words = new StringBuilder();
        round.calls().forEach(c -> words.append(c.name() + " " + c.arguments() + " was done:\n" + c.result() + "\n"));
        return List.of(
                new AssistantMessage(round.text().isBlank() ? "(used tools)" : round.text()),
                new UserMessage(words.toString()));
    }

    private static int tokens(List<Message> messages) {
        return messages.stream()
                .mapToInt(m -> switch (m) {
                    case AssistantMessage a ->
                        tokens(a.getText())
                                + a.getToolCalls().stream()
                                        .mapToInt(c -> tokens(c.arguments()))
                                        .sum();
                    case ToolResponseMessage t ->
                        t.getResponses().stream()
                                .mapToInt(r -> tokens(r.responseData()))
                                .sum();
                    default -> tokens(m.getText());
                })
                .sum();
    }

    private static int tokens(@Nullable String text) {
        return 4 + (text == null ? 0 : text.getBytes(StandardCharsets.UTF_8).length / 3);
    }

    /** Takes the pieces of one stream. */
    private static final class Reader {
        private final StringBuilder text;
        private final Listener listener;
        private final ForeignText plain = new ForeignText();
        private final ForeignText plainThoughts = new ForeignText();
        private final List<AssistantMessage.ToolCall> calls = new ArrayList<>();
        private boolean said;
        private long questionTokens;
        private long answerTokens;
        private long first;
        private Finish finish = Finish.COMPLETE;

        Reader(StringBuilder text, Listener listener) {
            this.text = text;
            this.listener = listener;
        }

        void take(ChatResponse response) {
            var usage = response.getMetadata().getUsage();
            if (usage != null && usage.getTotalTokens() > 0) {
                questionTokens = usage.getPromptTokens();
                answerTokens = usage.getCompletionTokens();
            }
            var result = response.getResult();
            if (result == null) {
                return;
            }
            if ("length".equals(result.getMetadata().getFinishReason())) {
                finish = Finish.LENGTH;
            }
            if (result.getMetadata().get("thinking") instanceof String thought && !thought.isEmpty()) {
                began();
                var shown = plainThoughts.next(thought);
                tell(() -> listener.thinking(shown));
            }
            if (result.getOutput().hasToolCalls()) {
                began();
                calls.addAll(result.getOutput().getToolCalls());
            }
            var token = result.getOutput().getText();
            if (token != null && !token.isEmpty()) {
                began();
                text.append(token);
                var shown = plain.next(token);
                if (!shown.isEmpty()) {
                    tell(() -> listener.token(shown));
                }
            }
        }

        private void began() {
            if (!said) {
                first = System.nanoTime();
            }
            said = true;
        }

        private static void tell(Runnable word) {
            try {
                word.run();
            } catch (RuntimeException e) {
                throw new ListenerFailed(e);
            }
        }
    }

    /** The model turned out to be one without tools: it is asked anew. */
    private static final class Toolless extends RuntimeException {}

    /** Tells a failure of the reader's from one of the stream's. */
    private static final class ListenerFailed extends RuntimeException {
        private final RuntimeException cause;

        ListenerFailed(RuntimeException cause) {
            super(cause);
            this.cause = cause;
        }
    }
}
