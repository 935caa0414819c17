package dev.hydravisor.model;

import dev.hydravisor.host.ForeignText;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.model.DialogTurn.Role;
import dev.hydravisor.model.Provider.Failure;
import dev.hydravisor.operation.HydraException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;

/**
 * One exchange of a user and a model.
 *
 * <p>Every question and every answer is stored when it is complete. With each question all that was said before goes to the model, but
 * for questions that got no answer, and for what the model's context cannot hold: then the oldest questions with their answers are left
 * out, so that what is sent takes at most three quarters of the context, a token being counted as three bytes; a quarter is for the
 * answer. The listener is told when that begins and when it takes more.
 */
public final class Dialog {
    private static final int ATTEMPTS = 3;
    private static final Set<Finish> WHOLE = Set.of(Finish.COMPLETE, Finish.LENGTH);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

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

    /** Forgets all that was said. */
    public void clear() {
        dialogs.clear(id);
        leftOut = 0;
    }

    /**
     * Asks, and blocks until the answer is complete.
     *
     * @return the answer as it was stored
     * @throws HydraException one line that says what to do: INTERRUPTED when this thread was interrupted, CONFLICT when the dialog is
     *     just being answered elsewhere, else why the model did not answer. The question is kept, and so is what came of the answer;
     *     the next question can be asked at once
     */
    public DialogTurn say(String text, Listener listener) {
        if (text.isBlank()) {
            throw HydraException.usage("there is nothing to say; type a question");
        }
        return exclusively(() -> {
            dialogs.store(new DialogTurn(id, Role.USER, model, text, Finish.COMPLETE, Dialogs.now()));
            return answer(history(), listener);
        });
    }

    /**
     * Asks the last question again, as {@link #say} does, when it has no whole answer. What came of it before is left out.
     *
     * @throws HydraException CONFLICT when it has one
     */
    public DialogTurn retry(Listener listener) {
        return exclusively(() -> {
            var history = history();
            if (history.isEmpty()
                    || (history.getLast().role() != Role.USER
                            && WHOLE.contains(history.getLast().finish()))) {
                throw HydraException.conflict("there is no question without a whole answer; type a new one");
            }
            int question = history.size() - 1;
            while (question >= 0 && history.get(question).role() != Role.USER) {
                question--;
            }
            return answer(history.subList(0, question + 1), listener);
        });
    }

    private DialogTurn exclusively(Callable<DialogTurn> work) {
        try {
            return dialogs.exclusively(id, work);
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
            var finish = stream(asked, prompt(asked, history, listener), text, listener);
            return dialogs.store(new DialogTurn(id, Role.ASSISTANT, asked, text.toString(), finish, Dialogs.now()));
        } catch (InterruptedException e) {
            keep(asked, text, Finish.INTERRUPTED);
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (RuntimeException e) {
            keep(asked, text, text.isEmpty() ? Finish.FAILED : Finish.CUT);
            throw e;
        }
    }

    private void keep(ModelRef asked, StringBuilder text, Finish finish) {
        dialogs.store(new DialogTurn(id, Role.ASSISTANT, asked, text.toString(), finish, Dialogs.now()));
    }

    /** Streams one answer into {@code text}; asks again, a few times, as long as the model has said nothing at all. */
    private Finish stream(ModelRef asked, Prompt prompt, StringBuilder text, Listener listener)
            throws InterruptedException {
        var provider = models.provider(asked);
        for (int attempt = 1; ; attempt++) {
            var reader = new Reader(text, listener);
            Failure failure;
            try {
                Answer.read(provider.chat(endpoint, asked.id()).stream(prompt), provider.patience(), reader::take);
                return reader.finish;
            } catch (ListenerFailed e) {
                throw e.cause;
            } catch (RuntimeException e) {
                failure = provider.explain(e, endpoint, asked.id());
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

    private Prompt prompt(ModelRef asked, List<DialogTurn> history, Listener listener) {
        var system = history.stream()
                .filter(t -> t.role() == Role.SYSTEM)
                .<Message>map(t -> new SystemMessage(t.content()))
                .toList();
        var said = messages(history);
        int total = Stream.concat(system.stream(), said.stream())
                .mapToInt(Dialog::tokens)
                .sum();
        var window = total <= SURELY_FITS
                ? OptionalInt.empty()
                : models.provider(asked).window(endpoint, asked.id());
        int first = 0;
        if (window.isPresent()) {
            int room = window.getAsInt() / 4 * 3;
            for (; total > room && first < said.size() - 1; first += 2) {
                total -= tokens(said.get(first)) + tokens(said.get(first + 1));
            }
            if (first > leftOut) {
                listener.notice("the first " + first + " turns no longer fit into the " + window.getAsInt()
                        + " tokens of `" + asked + "` and are not sent; /clear begins anew");
            }
            if (total > room) {
                listener.notice("the question itself takes more than the " + window.getAsInt() + " tokens of `" + asked
                        + "` leave room for; the model may not see all of it");
            }
        }
        leftOut = first;
        return new Prompt(
                Stream.concat(system.stream(), said.stream().skip(first)).toList());
    }

    /** Questions, each with the last answer it got, and at the end the one to be answered; those that got none are left out. */
    private static List<Message> messages(List<DialogTurn> history) {
        var messages = new ArrayList<Message>();
        var question = "";
        var answer = "";
        for (var turn : history) {
            if (turn.role() == Role.USER) {
                if (!answer.isEmpty()) {
                    messages.add(new UserMessage(question));
                    messages.add(new AssistantMessage(answer));
                }
                question = turn.content();
                answer = "";
            } else if (turn.role() == Role.ASSISTANT && !turn.content().isEmpty()) {
                answer = turn.content();
            }
        }
        messages.add(new UserMessage(question));
        return messages;
    }

    private static int tokens(Message message) {
        var text = message.getText();
        return 4 + (text == null ? 0 : text.getBytes(StandardCharsets.UTF_8).length / 3);
    }

    /** Takes the pieces of one stream. */
    private static final class Reader {
        private final StringBuilder text;
        private final Listener listener;
        private final ForeignText plain = new ForeignText();
        private final ForeignText plainThoughts = new ForeignText();
        private boolean said;
        private Finish finish = Finish.COMPLETE;

        Reader(StringBuilder text, Listener listener) {
            this.text = text;
            this.listener = listener;
        }

        void take(ChatResponse response) {
            var result = response.getResult();
            if (result == null) {
                return;
            }
            if ("length".equals(result.getMetadata().getFinishReason())) {
                finish = Finish.LENGTH;
            }
            if (result.getMetadata().get("thinking") instanceof String thought && !thought.isEmpty()) {
                said = true;
                var shown = plainThoughts.next(thought);
                tell(() -> listener.thinking(shown));
            }
            var token = result.getOutput().getText();
            if (token != null && !token.isEmpty()) {
                said = true;
                text.append(token);
                var shown = plain.next(token);
                if (!shown.isEmpty()) {
                    tell(() -> listener.token(shown));
                }
            }
        }

        private static void tell(Runnable word) {
            try {
                word.run();
            } catch (RuntimeException e) {
                throw new ListenerFailed(e);
            }
        }
    }

    /** Tells a failure of the reader's from one of the stream's. */
    private static final class ListenerFailed extends RuntimeException {
        private final RuntimeException cause;

        ListenerFailed(RuntimeException cause) {
            super(cause);
            this.cause = cause;
        }
    }
}
