package dev.hydravisor.model;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.inventory.DialogTurnRow;
import dev.hydravisor.inventory.DialogTurns;
import dev.hydravisor.model.DialogTurn.Finish;
import dev.hydravisor.model.DialogTurn.Role;
import dev.hydravisor.operation.HydraException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.stereotype.Service;

/** The dialogs of users and models, kept in the inventory. */
@Service
public class Dialogs {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}");

    private final Models models;
    private final DialogTurns turns;
    private final ApplicationEventPublisher events;
    private final Set<String> answering = new HashSet<>();

    Dialogs(Models models, DialogTurns turns, ApplicationEventPublisher events) {
        this.models = models;
        this.turns = turns;
        this.events = events;
    }

    /**
     * Opens a dialog, with all that was said in it before. It touches no provider.
     *
     * @throws HydraException USAGE when the id is none, or there is no such provider; NOT_FOUND when there is no such preset
     */
    public Dialog open(String dialogId, ModelRef model, Endpoint endpoint) {
        requireId(dialogId);
        models.target(model);
        return new Dialog(this, models, dialogId, model, endpoint);
    }

    /** All that was said in a dialog, oldest first; empty when nothing was. */
    public List<DialogTurn> history(String dialogId) {
        requireId(dialogId);
        return shielded(() -> turns.findByDialogOrderById(dialogId).stream()
                .map(Dialogs::turn)
                .toList());
    }

    DialogTurn store(DialogTurn turn) {
        return shielded(() -> {
            turns.save(new DialogTurnRow(
                    turn.dialogId(),
                    word(turn.role()),
                    turn.model() == null ? null : turn.model().toString(),
                    turn.preset(),
                    turn.identity(),
                    turn.content(),
                    word(turn.finish()),
                    turn.at()));
            events.publishEvent(turn);
            return turn;
        });
    }

    void clear(String dialogId) {
        shielded(() -> {
            turns.deleteByDialog(dialogId);
            return dialogId;
        });
    }

    /** Lets one question at a time into a dialog, however many views it has; tells when another has to be waited for. */
    <T> T exclusively(String dialogId, Runnable waits, Callable<T> work) throws Exception {
        if (!enter(dialogId)) {
            waits.run();
            synchronized (answering) {
                while (!enter(dialogId)) {
                    answering.wait();
                }
            }
        }
        try {
            return work.call();
        } finally {
            synchronized (answering) {
                answering.remove(dialogId);
                answering.notifyAll();
            }
        }
    }

    private boolean enter(String dialogId) {
        synchronized (answering) {
            return answering.add(dialogId);
        }
    }

    static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }

    private static void requireId(String dialogId) {
        if (!ID.matcher(dialogId).matches()) {
            throw HydraException.usage("`" + PlainText.shorten(dialogId)
                    + "` is no name of a dialog; use letters, digits and . _ / : -, at most 128");
        }
    }

    private static DialogTurn turn(DialogTurnRow row) {
        @Nullable String model = row.model();
        return new DialogTurn(
                row.dialog(),
                Role.valueOf(row.role().toUpperCase(Locale.ROOT)),
                model == null ? null : ModelRef.parse(model),
                row.preset(),
                row.identity(),
                row.content(),
                Finish.valueOf(row.finish().toUpperCase(Locale.ROOT)),
                row.created());
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Runs work on the database where an interrupt of the caller does not reach it: Java closes a file channel whose thread is
     * interrupted, and with it the database of everybody.
     */
    private static <T> T shielded(Callable<T> work) {
        var result = new CompletableFuture<T>();
        Thread.ofVirtual().name("dialog store").start(() -> {
            try {
                result.complete(work.call());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }
}
