package dev.hydravisor.console;

import java.util.List;

/** What Tab offers for an argument or an option's value. Asked anew at each Tab; slow or failing sources just offer nothing. */
@FunctionalInterface
public interface Values {
    List<String> list(Session session);

    /** Anything may stand here. */
    static Values any() {
        return _ -> List.of();
    }

    /** One of a fixed set. */
    static Values of(String... values) {
        var all = List.of(values);
        return _ -> all;
    }

    /** A path; completed by the shell from the client's working directory. */
    static Values files() {
        return FILES;
    }

    /** The value that marks a path. */
    Values FILES = _ -> List.of();
}
