package dev.hydravisor.policy;

import dev.hydravisor.audit.Audit;
import dev.hydravisor.audit.Entry;
import dev.hydravisor.audit.Event;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.operation.Request;
import dev.hydravisor.recorder.Rules;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Service;

/**
 * The one way by which the services do what changes something or lets somebody in: judged by the policy, on record before it is done, and
 * with its outcome after. Whoever asks is {@link Request#current()}.
 *
 * <p>Where the record of the beginning cannot be written nothing is done. Where that of the outcome cannot, the beginning is on record;
 * the action fails, and an {@link Operation} undoes what it made.
 */
@Service
public class Guard {
    private static final Logger log = LoggerFactory.getLogger(Guard.class);

    private final Policy policy;
    private final Audit audit;
    private final Rules secrets = new Rules(List.of());

    public Guard(Policy policy, Audit audit) {
        this.policy = policy;
        this.audit = audit;
    }

    /** What the policy says of an action of the current request; nothing is put on record. */
    public Decision judge(Action action) {
        return policy.judge(Request.current(), action);
    }

    /**
     * As {@link #judge}, where nobody is asked: for a plan, or before work that leads up to the action.
     *
     * @throws HydraException DENIED; nothing is put on record
     */
    public void require(Action action) {
        require(action, judge(action));
    }

    /**
     * Does what the policy allows, with its records.
     *
     * @throws HydraException DENIED by the policy, which is on record; FAILED when the trail cannot be written
     */
    public <T extends @Nullable Object> T act(Action action, Supplier<T> work) {
        var decision = allowed(action);
        var event = event(action, decision.rule());
        var begun = audit.append(event);
        T result;
        try {
            result = work.get();
        } catch (RuntimeException e) {
            failed(event, begun, e);
            throw e;
        }
        done(event, begun);
        return result;
    }

    /** As {@link #act(Action, Supplier)}, without a result. */
    public void act(Action action, Runnable work) {
        this.<@Nullable Void>act(action, () -> {
            work.run();
            return null;
        });
    }

    /** As {@link #act(Action, Supplier)}, as a part of an operation: that it is undone is on record too. */
    public <T extends @Nullable Object> T act(Operation operation, Action action, Callable<T> work) {
        var decision = allowed(action);
        var event = event(action, decision.rule());
        var begun = audit.append(event);
        var over = new boolean[1];
        try {
            return operation.call(() -> {
                var result = work.call();
                done(event, begun);
                over[0] = true;
                operation.onFailure(
                        "record of `" + action.target() + "`",
                        () -> audit.append(event.ended("undone", "what it was a part of failed", begun.number())));
                return result;
            });
        } catch (RuntimeException e) {
            if (!over[0]) {
                failed(event, begun, e);
            }
            throw e;
        }
    }

    /**
     * Does what was judged already and, where it was asked for, allowed by a user.
     *
     * @param how how it came to be allowed, such as {@code approved once by user:root}; empty when the rule alone did
     */
    public <T extends @Nullable Object, X extends Exception> T approved(
            Action action, Decision decision, String how, ScopedValue.CallableOp<T, X> work) throws X {
        var event = event(action, decision.rule());
        var begun = audit.append(how.isEmpty() ? event : event.ended("approved", how, 0));
        T result;
        try {
            result = work.call();
        } catch (Exception e) {
            failed(event, begun, e);
            throw e;
        }
        done(event, begun);
        return result;
    }

    /** Puts on record that an action was denied, by the policy or by a user. */
    public void denied(Action action, Decision decision, String reason) {
        audit.append(event(action, decision.rule()).ended("denied", plain(reason), 0));
    }

    private Decision allowed(Action action) {
        Decision decision;
        try {
            decision = judge(action);
        } catch (HydraException e) {
            denied(action, new Decision(Effect.DENY, e.text(), ""), e.text());
            throw e;
        }
        if (decision.effect() != Effect.ALLOW) {
            denied(action, decision, decision.reason());
        }
        require(action, decision);
        return decision;
    }

    private static void require(Action action, Decision decision) {
        if (decision.effect() != Effect.ALLOW) {
            throw HydraException.denied("`" + Request.current().actor() + "` may not do " + action.told() + ": "
                    + decision.told()
                    + (decision.effect() == Effect.ASK ? "; nobody can be asked here" : "")
                    + "; `hydra policy show` shows the rules");
        }
    }

    private Event event(Action action, String rule) {
        var request = Request.current();
        return new Event(
                request.id(),
                request.actor().toString(),
                action.name(),
                action.target(),
                plain(action.detail()),
                "begun",
                "",
                rule,
                0);
    }

    /** Without the secrets that a command may hold. */
    private String plain(String text) {
        return secrets.redact(text, new TreeMap<>());
    }

    private void done(Event event, Entry begun) {
        try {
            audit.append(event.ended("done", "", begun.number()));
        } catch (HydraException e) {
            throw HydraException.failed(
                    "`" + event.action() + "` of `" + PlainText.shorten(event.target())
                            + "` was done, but this could not be put on record: " + e.text(),
                    e);
        }
    }

    /** The failure itself is what the user must hear of. */
    private void failed(Event event, Entry begun, Exception why) {
        var interrupted = why instanceof InterruptedException
                || why instanceof HydraException h && h.exitCode() == ExitCode.INTERRUPTED;
        var text = why instanceof HydraException h ? h.text() : why.toString();
        try {
            audit.append(event.ended(interrupted ? "interrupted" : "failed", plain(text), begun.number()));
        } catch (HydraException e) {
            log.error("the failure of `{}` of `{}` could not be put on record", event.action(), event.target(), e);
        }
    }
}
