package dev.hydravisor.image.registry;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What a server wants to see before it answers: one challenge of a {@code WWW-Authenticate} header (RFC 9110, 11.6.1).
 *
 * @param scheme in lower case, such as {@code bearer}
 * @param parameters by name in lower case, such as {@code realm}
 */
record Challenge(String scheme, Map<String, String> parameters) {
    private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");
    private static final Pattern PARAMETER =
            Pattern.compile("(" + TOKEN + ")\\s*=\\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|(" + TOKEN + "))");

    /** All challenges of all such headers, in their order. What follows something unreadable in a header is left out. */
    static List<Challenge> parse(List<String> headers) {
        var challenges = new ArrayList<Challenge>();
        headers.forEach(h -> parse(h, challenges));
        return challenges;
    }

    private static void parse(String header, List<Challenge> into) {
        var parameter = PARAMETER.matcher(header);
        var token = TOKEN.matcher(header);
        Map<String, String> current = null;
        int at = 0;
        while ((at = skip(header, at)) < header.length()) {
            if (parameter.region(at, header.length()).lookingAt() && current != null) {
                var quoted = parameter.group(2);
                current.putIfAbsent(
                        parameter.group(1).toLowerCase(Locale.ROOT),
                        quoted == null ? parameter.group(3) : quoted.replaceAll("\\\\(.)", "$1"));
                at = parameter.end();
            } else if (token.region(at, header.length()).lookingAt()) {
                current = new LinkedHashMap<>();
                into.add(new Challenge(token.group().toLowerCase(Locale.ROOT), current));
                at = token.end();
            } else {
                return;
            }
        }
    }

    private static int skip(String header, int from) {
        int at = from;
        while (at < header.length() && " \t,".indexOf(header.charAt(at)) >= 0) {
            at++;
        }
        return at;
    }
}
