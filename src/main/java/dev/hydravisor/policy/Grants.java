package dev.hydravisor.policy;

import dev.hydravisor.operation.Actor;
import java.util.List;

/** Whoever gives actors rights of their own, beside the files: a token is made with what it may do. What a file denies stays denied. */
public interface Grants {
    /** The rules of an actor, which hold for no other; empty when it has none. */
    List<Rule> rules(Actor actor);
}
