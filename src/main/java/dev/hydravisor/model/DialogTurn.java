package dev.hydravisor.model;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One turn of a dialog as it was stored; also the event that is published when it is.
 *
 * @param model the model that was asked or that answered, itself; null where none took part
 * @param preset the name of the preset by which it was asked; null for none
 * @param identity what its provider knows the very model by that answered, a digest or an ARN; null where that is not known
 * @param content what was said, unaltered: strip it (see {@link dev.hydravisor.host.ForeignText}) before it reaches a terminal
 */
public record DialogTurn(
        String dialogId,
        Role role,
        @Nullable ModelRef model,
        @Nullable String preset,
        @Nullable String identity,
        String content,
        Finish finish,
        Instant at) {
    /** What the user named: the preset, else the model; null where none took part. */
    public @Nullable ModelRef named() {
        return preset == null ? model : new ModelRef(ModelRef.PRESET, preset);
    }

    /** Who speaks. */
    public enum Role {
        USER,
        ASSISTANT,
        SYSTEM,
        /** The model used tools; the content is a {@link ToolRound}. */
        TOOL
    }

    /** How a turn ended. */
    public enum Finish {
        /** All was said. */
        COMPLETE,
        /** The model reached its limit of tokens. */
        LENGTH,
        /** The user stopped it; what came is kept. */
        INTERRUPTED,
        /** The stream broke or fell silent; what came is kept. */
        CUT,
        /** Nothing came: the question before it has no answer. */
        FAILED
    }
}
