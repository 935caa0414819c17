package dev.hydravisor.policy;

/** What a rule does with what it fits. */
public enum Effect {
    ALLOW,
    /** Have a user say so; where nobody can be asked it denies. */
    ASK,
    DENY
}
