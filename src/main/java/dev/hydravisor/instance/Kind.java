package dev.hydravisor.instance;

/** What an instance is made of. */
public enum Kind {
    VM,
    CONTAINER
}
