package dev.hydravisor.console;

/** Live names for Tab. */
interface Names {
    /** Names of all instances. */
    Values instances();

    Values images();

    /** {@code provider:id} of all models in reach. */
    Values models();

    Values recordings();
}
