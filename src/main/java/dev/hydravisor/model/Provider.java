package dev.hydravisor.model;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.model.ChatModel;

/**
 * A source of models, such as Ollama. Making one touches nothing; each call reaches the place that the endpoint names, and fails with
 * one line that says what to do when nothing is there.
 */
public interface Provider {
    /** As in a {@link ModelRef}. */
    String name();

    /** Whether there is any sign that the user wants it: one that is not set up is left alone unless a model of it is named. */
    default boolean isSetUp(Endpoint endpoint) {
        return true;
    }

    /** Where it is reached and as whom, in one line without secrets; nothing but the credentials is looked up. */
    String access(Endpoint endpoint);

    /** What can be talked to. Answers within seconds. */
    List<ModelInfo> models(Endpoint endpoint);

    /**
     * One model. Its size is 0: only {@link #models} knows that.
     *
     * @throws HydraException NOT_FOUND with how to get it when it is not there
     */
    ModelInfo model(Endpoint endpoint, String id);

    /**
     * What exactly answers under this name now: the digest of a downloaded model, the ARN of one of AWS's; empty where the provider does
     * not say. Answers within seconds.
     */
    String identity(Endpoint endpoint, String id);

    /**
     * Downloads a model; one that is there is brought up to date. A download that broke off goes on where it was.
     *
     * @throws HydraException USAGE where models are not downloaded
     */
    default void pull(Operation operation, Endpoint endpoint, String id) {
        throw HydraException.usage("models of " + name() + " are not downloaded; they are there, or not");
    }

    /** Deletes a downloaded model; errors as {@link #pull}, NOT_FOUND when it is not there. */
    default void remove(Endpoint endpoint, String id) {
        throw HydraException.usage("models of " + name() + " are not downloaded, so none can be deleted");
    }

    /** Tokens the model would attend to right now, question and answer together; empty when that cannot be known. */
    OptionalInt window(Endpoint endpoint, String id);

    /** A client for one model; its streams carry each token as it comes, and what they fail with is for {@link #explain}. */
    ChatModel chat(Endpoint endpoint, String id, Parameters parameters);

    /** How long a stream may keep silent. */
    Patience patience();

    /** What to tell the user of a stream that failed. */
    Failure explain(Throwable failure, Endpoint endpoint, String id);

    /** The longest waits for the first and between two tokens. */
    record Patience(Duration firstToken, Duration gap) {}

    /**
     * A failed stream.
     *
     * @param retryAfter when asking once more may help, provided that nothing was said yet; null when it would not
     * @param toolless whether the model cannot use tools, and would answer where it is offered none
     */
    record Failure(HydraException error, @Nullable Duration retryAfter, boolean toolless) {
        /** Of a failure that has nothing to do with tools. */
        public Failure(HydraException error, @Nullable Duration retryAfter) {
            this(error, retryAfter, false);
        }
    }
}
