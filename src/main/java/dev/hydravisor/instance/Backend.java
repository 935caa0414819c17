package dev.hydravisor.instance;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What runs instances of one kind. Every call may throw {@link HydraException} UNAVAILABLE, with the remedy, when the system
 * behind it does not answer; none of them hangs. All are safe to call from several threads.
 */
public interface Backend {
    Kind kind();

    /** An instance to a backend. The id never changes and is never used again. */
    record Ref(UUID id, String name) {}

    /**
     * What the backend says of one instance.
     *
     * @param reason why, in one line; null when there is nothing to say
     * @param address null while it has none
     */
    record Observed(
            Ref ref,
            State state,
            @Nullable String reason,
            @Nullable String address) {}

    /** Hears that an instance changed; which, and nothing else: the hearer asks {@link #observe()}. */
    @FunctionalInterface
    interface ChangeListener {
        void changed(UUID id);
    }

    /**
     * Makes an instance and leaves it stopped. Each thing made is registered with {@link Operation#onFailure}.
     *
     * @throws HydraException CONFLICT when the name is taken by something hydra did not make; NOT_FOUND for an unknown image
     */
    void create(Operation operation, Ref ref, InstanceSpec spec);

    /** Starts it and waits until it has an address, or {@code limit} has passed (then it is left running, and told as a notice). */
    void start(Operation operation, Ref ref, InstanceSpec spec, Duration limit);

    /**
     * Stops it gracefully; with {@code force} also by force once {@code limit} has passed.
     *
     * @throws HydraException FAILED when it is still running after {@code limit} and {@code force} is false
     */
    void stop(Operation operation, Ref ref, Duration limit, boolean force);

    /**
     * Freezes it: it keeps its memory and gets no processor.
     *
     * @throws HydraException CONFLICT when it does not run
     */
    void pause(Ref ref);

    /** Lets a paused one go on; one that runs is success. */
    void resume(Ref ref);

    /** Removes what {@link #create} made and nothing else; what is already gone is no error. */
    void delete(Operation operation, Ref ref);

    /** All instances hydra made here, by id. */
    Map<UUID, Observed> observe();

    /** What running instances use, by id; it may tell of others than hydra's, too. */
    Map<UUID, Usage> usage();

    /** The argv of an interactive shell inside it: over SSH when it offers that within {@code limit}, else its console. */
    List<String> shellCommand(Ref ref, InstanceSpec spec, Duration limit);

    /** The digest of the image it was made from, as {@code sha256:…}; empty where an older hydra made it. */
    default String imageDigest(Ref ref, InstanceSpec spec) {
        return "";
    }

    /**
     * Runs a program inside it to its end, beside all shells.
     *
     * @param input its standard input
     * @throws HydraException UNAVAILABLE when the instance cannot be reached, FAILED when the program outlasts {@code limit}
     */
    default Processes.Result exec(Ref ref, InstanceSpec spec, List<String> argv, byte[] input, Duration limit) {
        throw HydraException.unavailable("nothing can be run in `" + ref.name() + "` beside its shell; use the shell");
    }

    /** The argv of its console. */
    List<String> consoleCommand(Ref ref);

    /** Registers the one listener; called from the backend's own threads, also after the backend came back. */
    void onChange(ChangeListener listener);
}
