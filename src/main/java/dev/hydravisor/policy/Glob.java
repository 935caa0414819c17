package dev.hydravisor.policy;

import com.google.re2j.Pattern;

/** A name in which {@code *} stands for any characters, also for none. */
record Glob(String text, Pattern pattern) {
    static Glob of(String text) {
        return new Glob(text, Pattern.compile(Pattern.quote(text).replace("\\*", ".*"), Pattern.DOTALL));
    }

    boolean matches(String name) {
        return pattern.matches(name);
    }

    /** What stands before the first {@code *}. */
    String start() {
        var star = text.indexOf('*');
        return star < 0 ? text : text.substring(0, star);
    }

    @Override
    public String toString() {
        return text;
    }
}
