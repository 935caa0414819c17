package dev.hydravisor.operation;

import java.util.Locale;

/**
 * Who asks for something to be done.
 *
 * @param name a user of this host ({@code root}), a model as {@code provider:id}, or the name of a token
 */
public record Actor(Kind kind, String name) {
    /** What an actor is. */
    public enum Kind {
        USER,
        MODEL,
        TOKEN
    }

    public static Actor user(String name) {
        return new Actor(Kind.USER, name);
    }

    public static Actor model(String name) {
        return new Actor(Kind.MODEL, name);
    }

    public static Actor token(String name) {
        return new Actor(Kind.TOKEN, name);
    }

    /**
     * Reads what {@link #toString} writes.
     *
     * @throws HydraException USAGE when it is no actor
     */
    public static Actor parse(String text) {
        for (var kind : Kind.values()) {
            var prefix = word(kind) + ":";
            if (text.startsWith(prefix) && text.length() > prefix.length()) {
                return new Actor(kind, text.substring(prefix.length()));
            }
        }
        throw HydraException.usage("this names nobody; write user:NAME, model:PROVIDER:ID or token:NAME");
    }

    /** As it stands in the policy and the audit trail: {@code user:root}, {@code model:ollama:llama3.2}, {@code token:ci}. */
    @Override
    public String toString() {
        return word(kind) + ":" + name;
    }

    private static String word(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }
}
