package dev.hydravisor.request;

/** What limits how much a token has done at once and how often. Asked before anything is begun. */
public interface Gate {
    /** @throws Refusal 429 when the token has launched too much of late */
    void launch();

    /**
     * @return what ends the operation
     * @throws Refusal 429 when too much is being done at once
     */
    Runnable operation();
}
