package dev.hydravisor.model;

import dev.hydravisor.operation.HydraException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a model can do besides talking. */
public interface Hands {
    List<Tool> tools();

    /** What the model is told of the place it works in. */
    String briefing();

    /**
     * A question was asked: all that is done until its answer is one task.
     *
     * @param model the model itself
     * @param preset by whose name it was asked; null for none
     */
    Task begin(ModelRef model, @Nullable String preset);

    /** What is done for one question. */
    interface Task extends AutoCloseable {
        /**
         * Counts a turn of the model's that took so many tokens.
         *
         * @throws HydraException when the task has reached a limit, with what to do
         */
        void turn(long tokens);

        /**
         * Does what the model asks.
         *
         * @param arguments a JSON object, as the model wrote it
         * @return the result, or why there is none: for the model
         * @throws HydraException INTERRUPTED when the user stops the task, FAILED when it has reached a limit
         */
        String use(String tool, String arguments) throws InterruptedException;

        @Override
        void close();
    }
}
