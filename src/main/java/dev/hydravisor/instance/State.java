package dev.hydravisor.instance;

/** What an instance is doing, as its backend says; hydra adds the states in which the backend cannot say. */
public enum State {
    /** Being made by an operation that has not ended, or that died with its process. */
    CREATING,
    RUNNING,
    PAUSED,
    STOPPED,
    /** It crashed, or its backend gave up on it. */
    FAILED,
    /** Known here, unknown to its backend. */
    MISSING,
    /** Its backend does not answer. */
    UNAVAILABLE
}
