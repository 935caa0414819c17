package dev.hydravisor.recorder;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The rules by which secrets are found, those of hydra and the user's own. */
public final class Rules {
    /** The longest text before a secret that a rule may look at, in characters. */
    static final int BEFORE = 256;
    /** The longest secret, in characters. */
    static final int LONGEST = 16 * 1024;

    static final char REDACTED = '*';
    /** Stands in a text where a secret was found; no rule goes across it. */
    static final char GONE = '\uFFFF';

    private static final String KEY_WORDS =
            "(password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|signing[_-]?key)";

    /** A line of base64, or a header, of a key block; some tools print its line ends as {@code \n}. */
    private static final String KEY_LINE =
            "(\n|\\\\n|\\\\r)((Proc-Type|DEK-Info|Version|Comment|Hash):[^\n]*|[A-Za-z0-9+/=]{16,})?";

    private static final List<Rule> BUILT_IN = List.of(
            Rule.of(
                    "private-key",
                    "-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----",
                    "(" + KEY_LINE + ")+((\n|\\\\n|\\\\r)+[A-Za-z0-9+/=]{1,15})?((\n|\\\\n|\\\\r)+-----END[A-Z0-9 ]*)?",
                    false,
                    0),
            token("aws-key", "(AKIA|ASIA|ABIA|ACCA)", "[A-Z0-9]{16}"),
            token("github-token", "gh[pousr]_", "[A-Za-z0-9]{20,}"),
            token("github-token", "github_pat_", "[A-Za-z0-9_]{20,}"),
            token("gitlab-token", "gl(pat|rt|dt|ptt)-", "[A-Za-z0-9_-]{16,}"),
            token("slack-token", "xox[abeoprs]-", "[A-Za-z0-9-]{10,}"),
            token("stripe-key", "[sr]k_(live|test)_", "[A-Za-z0-9]{16,}"),
            token("model-key", "sk-", "[A-Za-z0-9_-]{20,}"),
            token("google-key", "AIza", "[A-Za-z0-9_-]{35}"),
            token("huggingface-token", "hf_", "[A-Za-z0-9]{30,}"),
            token("npm-token", "npm_", "[A-Za-z0-9]{36}"),
            token("pypi-token", "pypi-", "[A-Za-z0-9_-]{40,}"),
            token("jwt", "eyJ", "[A-Za-z0-9_-]{5,}\\.[A-Za-z0-9_-]{5,}\\.[A-Za-z0-9_-]{5,}"),
            token("bearer", "(?i)(bearer|basic) +", "[A-Za-z0-9+/=._~-]{16,}"),
            Rule.of("connection-string", "://[^ \t\n/@:\"']*:", "[^ \t\n/@\"']+@", false, 1),
            Rule.of(
                    "password",
                    "(?i)" + KEY_WORDS + "[a-z0-9_]*[\"']?[ \t]*(=|:|:=|=>)[ \t]*[\"']?",
                    "[^ \t\n\"'`;,&|<>(){}$*\\[\\]]{8,}",
                    false,
                    0),
            token("password", "sshpass -p *[\"']?", "[^ \t\n\"']{4,}"));

    /** Bits of the rules that may begin with these two characters. */
    private final long[] byFirstTwo = new long[128 * 128];

    /** Whether there is such a rule; small, for it is asked for each character. */
    private final boolean[] anyByFirstTwo = new boolean[128 * 128];

    private final List<Rule> rules;

    /** @param own at most 40 of the user's own */
    public Rules(List<Rule> own) {
        var all = new ArrayList<>(BUILT_IN);
        all.addAll(own);
        if (all.size() > 64) {
            throw new IllegalArgumentException("there are " + own.size() + " rules; 40 are the most");
        }
        rules = List.copyOf(all);
        for (int i = 0; i < rules.size(); i++) {
            index(rules.get(i), 1L << i);
        }
        for (int i = 0; i < byFirstTwo.length; i++) {
            anyByFirstTwo[i] = byFirstTwo[i] != 0;
        }
    }

    private static Rule token(String name, String before, String secret) {
        return Rule.of(name, before, secret, true, 0);
    }

    /** Reads a file of rules: a line each, {@code NAME<tab>BEFORE<tab>SECRET}. None where there is no file. */
    public static Rules read(Path file) throws IOException {
        var own = new ArrayList<Rule>();
        if (Files.exists(file)) {
            for (var line : Files.readAllLines(file)) {
                var f = line.split("\t", -1);
                own.add(Rule.of(f[0], f[1], f[2]));
            }
        }
        return new Rules(own);
    }

    /**
     * A text without its secrets, each of whose characters is an asterisk.
     *
     * @param counts takes how many each rule found
     */
    public String redact(String text, Map<String, Integer> counts) {
        var all = text.toCharArray();
        var chars = all.clone();
        scan(all, 0, all.length, true, (rule, from, to) -> {
            counts.merge(rule.name(), 1, Integer::sum);
            for (int i = from; i < to; i++) {
                if (chars[i] > ' ') {
                    chars[i] = REDACTED;
                }
            }
        });
        return new String(chars);
    }

    /** How many secrets a text holds, by rule. */
    public Map<String, Integer> count(String text) {
        var counts = new TreeMap<String, Integer>();
        redact(text, counts);
        return counts;
    }

    /** Takes the secrets found. */
    interface Found {
        void secret(Rule rule, int from, int to);
    }

    /**
     * Finds the secrets that begin at or after {@code from}.
     *
     * @param end true when no more text will come
     * @return where a secret may have begun of which more may come; {@code length} where none
     */
    int scan(char[] text, int from, int length, boolean end, Found found) {
        var open = length;
        for (int i = next(text, from, length); i < length; i = next(text, i + 1, length)) {
            var mask = i + 1 < length ? byFirstTwo[slot(text[i]) << 7 | slot(text[i + 1])] : -1;
            while (mask != 0) {
                var at = Long.numberOfTrailingZeros(mask);
                mask &= mask - 1;
                if (at >= rules.size()) {
                    break;
                }
                var rule = rules.get(at);
                if (rule.bounded() && i > 0 && isWord(text[i - 1])) {
                    continue;
                }
                var start = endOfBefore(rule, text, i, length);
                if (start < 0 || start >= length) {
                    continue;
                }
                var automaton = rule.secret();
                var state = automaton.getInitialState();
                var matched = -1;
                var p = start;
                var limit = Math.min(length, start + LONGEST);
                while (p < limit && text[p] != GONE && (state = automaton.step(state, text[p])) >= 0) {
                    p++;
                    if (automaton.isAccept(state)) {
                        matched = p;
                    }
                }
                if (p == length && !end && p - start < LONGEST) {
                    open = Math.min(open, start);
                } else if (matched >= 0) {
                    found.secret(rule, start, matched - rule.kept());
                    i = matched - 1 - rule.kept();
                    break;
                }
            }
        }
        return open;
    }

    /** The next character that may begin what some rule looks for; the last one always may. */
    private int next(char[] text, int from, int length) {
        if (from + 1 >= length) {
            return from;
        }
        var any = anyByFirstTwo;
        var first = slot(text[from]);
        for (int i = from + 1; i < length; i++) {
            var second = slot(text[i]);
            if (any[first << 7 | second]) {
                return i - 1;
            }
            first = second;
        }
        return length - 1;
    }

    private static int endOfBefore(Rule rule, char[] text, int from, int length) {
        var automaton = rule.before();
        var state = automaton.getInitialState();
        var matched = automaton.isAccept(state) ? from : -1;
        var limit = Math.min(length, from + BEFORE);
        for (int p = from; p < limit && text[p] != GONE && (state = automaton.step(state, text[p])) >= 0; ) {
            p++;
            if (automaton.isAccept(state)) {
                matched = p;
            }
        }
        return matched;
    }

    private void index(Rule rule, long bit) {
        var before = rule.before().getInitialState();
        var automaton = rule.before().isAccept(before) ? rule.secret() : rule.before();
        for (int a = 0; a < 128; a++) {
            for (var first : characters(automaton.getCharIntervals(), a)) {
                var state = automaton.step(automaton.getInitialState(), first);
                if (state >= 0) {
                    for (int b = 0; b < 128; b++) {
                        if (automaton.isAccept(state) || steps(automaton, state, b)) {
                            byFirstTwo[a << 7 | b] |= bit;
                        }
                    }
                }
            }
        }
    }

    private static boolean steps(dk.brics.automaton.RunAutomaton automaton, int state, int slot) {
        for (var c : characters(automaton.getCharIntervals(), slot)) {
            if (automaton.step(state, c) >= 0) {
                return true;
            }
        }
        return false;
    }

    /** What stands for a slot of the table: one character, or for the last slot one of each of the automaton's intervals. */
    private static char[] characters(char[] intervals, int slot) {
        if (slot < 127) {
            return new char[] {(char) slot};
        }
        var above = new StringBuilder("\u007f");
        for (var c : intervals) {
            if (c > 127) {
                above.append(c);
            }
        }
        return above.toString().toCharArray();
    }

    private static int slot(char c) {
        return c < 127 ? c : 127;
    }

    private static boolean isWord(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_';
    }
}
