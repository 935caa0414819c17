package dev.hydravisor.operation;

import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * On whose behalf a thread works. Each way into hydra (a line of a console, a model's tool call, a message of a token's) binds one before
 * it calls a service; a thread that goes on with its work binds it again. Where none is bound nothing that is guarded can be done.
 *
 * @param id what the audit trail calls this request
 * @param folder the working directory it comes from, whose own policy holds too; null when it has none
 */
public record Request(String id, Actor actor, @Nullable Path folder) {
    private static final ScopedValue<Request> CURRENT = ScopedValue.newInstance();
    private static final SecureRandom RANDOM = new SecureRandom();

    /** A new request, with an id of its own. */
    public static Request of(Actor actor, @Nullable Path folder) {
        var id = new byte[8];
        RANDOM.nextBytes(id);
        return new Request(HexFormat.of().formatHex(id), actor, folder);
    }

    /** As {@link #of(Actor, Path)}, for one that comes from no folder. */
    public static Request of(Actor actor) {
        return of(actor, null);
    }

    /** The same request where it is carried on by another, such as a model. */
    public Request as(Actor other) {
        return new Request(id, other, folder);
    }

    /** The one this thread works for. */
    public static Request current() {
        if (!CURRENT.isBound()) {
            throw new IllegalStateException("nobody is known to ask for this; bind a request first");
        }
        return CURRENT.get();
    }

    /** Does work on its behalf. */
    public <T extends @Nullable Object, X extends Throwable> T call(ScopedValue.CallableOp<? extends T, X> work)
            throws X {
        return ScopedValue.where(CURRENT, this).call(work);
    }

    /** As {@link #call}, without a result. */
    public void run(Runnable work) {
        ScopedValue.where(CURRENT, this).run(work);
    }
}
