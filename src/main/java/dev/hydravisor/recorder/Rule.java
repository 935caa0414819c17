package dev.hydravisor.recorder;

import dk.brics.automaton.RegExp;
import dk.brics.automaton.RunAutomaton;

/**
 * What a secret looks like: what stands before it, which is kept, and the secret itself. Both are regular expressions that run as
 * automata: in linear time, a character at a time, and at each they know whether more text could still make a match.
 *
 * @param bounded true when it begins no word's middle
 * @param kept characters at the end of a match that are no secret
 */
public record Rule(String name, RunAutomaton before, RunAutomaton secret, boolean bounded, int kept) {
    private static final String ASCII_SPACE = " \t\n";

    /**
     * A rule of a user's.
     *
     * @param before regular expression of what stands before the secret; empty for nothing
     * @param secret regular expression: literals, {@code . [] () | * + ? {n,m}}, {@code \d \w \s}, {@code (?i)} at its start
     * @throws IllegalArgumentException when one is malformed, or {@code secret} matches the empty string
     */
    public static Rule of(String name, String before, String secret) {
        return of(name, before, secret, false, 0);
    }

    static Rule of(String name, String before, String secret, boolean bounded, int kept) {
        var rule = new Rule(name, compile(before), compile(secret), bounded, kept);
        if (rule.secret.isAccept(rule.secret.getInitialState())) {
            throw new IllegalArgumentException("`" + secret + "` matches where nothing is");
        }
        return rule;
    }

    private static RunAutomaton compile(String regex) {
        if (regex.isEmpty()) {
            return new RunAutomaton(dk.brics.automaton.Automaton.makeEmptyString(), false);
        }
        try {
            return new RunAutomaton(new RegExp(plain(regex), RegExp.NONE).toAutomaton(true), false);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("`" + regex + "` is no regular expression: " + e.getMessage(), e);
        }
    }

    /** Writes what the library does not know in what it knows: classes by letter, letters of either case, a plain quote. */
    private static String plain(String regex) {
        var anyCase = regex.startsWith("(?i)");
        var out = new StringBuilder();
        var inClass = false;
        for (int i = anyCase ? 4 : 0; i < regex.length(); i++) {
            var c = regex.charAt(i);
            if (c == '\\' && i + 1 < regex.length()) {
                var next = regex.charAt(++i);
                var set =
                        switch (next) {
                            case 'd' -> "0-9";
                            case 'w' -> "A-Za-z0-9_";
                            case 's' -> ASCII_SPACE;
                            default -> null;
                        };
                if (set != null) {
                    out.append(inClass ? set : "[" + set + "]");
                } else if (next == 'n' || next == 't') {
                    out.append(next == 'n' ? '\n' : '\t');
                } else if (Character.isLetterOrDigit(next)) {
                    throw new IllegalArgumentException("\\" + next + " is not known here");
                } else {
                    out.append('\\').append(next);
                }
            } else if (c == '"') {
                out.append("\\\"");
            } else if (anyCase && Character.isLetter(c)) {
                var both = "" + Character.toLowerCase(c) + Character.toUpperCase(c);
                var range =
                        inClass && i + 2 < regex.length() && regex.charAt(i + 1) == '-' && regex.charAt(i + 2) != ']';
                if (range) {
                    var end = regex.charAt(i + 2);
                    out.append(Character.toLowerCase(c)).append('-').append(Character.toLowerCase(end));
                    out.append(Character.toUpperCase(c)).append('-').append(Character.toUpperCase(end));
                    i += 2;
                } else {
                    out.append(inClass ? both : "[" + both + "]");
                }
            } else {
                inClass = inClass ? c != ']' : c == '[';
                out.append(c);
            }
        }
        return out.toString();
    }
}
