package dev.hydravisor.agent;

import dev.hydravisor.operation.HydraException;

/** The user who says what a model may do. */
public interface Approver {
    /**
     * What a model wants to do.
     *
     * @param tool its name
     * @param subject the exact command or path
     * @param detail more to look at, such as a diff, as lines; empty when the subject says it all
     * @param reason why it is asked for
     * @param editable whether the user may change the subject
     */
    record Request(String tool, String subject, String detail, String reason, boolean editable) {}

    /** What the user said. */
    sealed interface Answer {
        /** This once. */
        record Once() implements Answer {}

        /** This very thing, as often as it is asked for in this session. */
        record Always() implements Answer {}

        record No() implements Answer {}

        /** This in its place, once. */
        record Instead(String subject) implements Answer {}
    }

    /**
     * Asks, and blocks until there is an answer.
     *
     * @throws HydraException INTERRUPTED when the user stops the whole task
     */
    Answer ask(Request request);

    /** One line on what is done without asking, or is refused. */
    void tell(String line);
}
