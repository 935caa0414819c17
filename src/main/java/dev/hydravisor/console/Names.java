package dev.hydravisor.console;

import org.springframework.stereotype.Component;

/** Live names for Tab: what there is right now. */
@Component
public class Names {
    /** Names of all instances. */
    public Values instances() {
        return Values.any();
    }

    public Values images() {
        return Values.any();
    }

    /** {@code provider:id} of all models in reach. */
    public Values models() {
        return Values.any();
    }

    public Values recordings() {
        return Values.any();
    }
}
