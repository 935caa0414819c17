package dev.hydravisor.standin;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whole numbers given by name in the tag of a scripted model, as in {@code slow:first=2000,gap=50}.
 *
 * <p>Ollama's own rules allow neither {@code =} nor {@code ,} in a tag; {@code slow:first2000-gap50} means the same and
 * passes them.
 */
record Options(Map<String, Integer> values) {

    private static final Pattern ONE = Pattern.compile("([a-z]+)=?(\\d+)");
    private static final Pattern ALL = Pattern.compile(ONE.pattern() + "(?:[,_.-]" + ONE.pattern() + ")*");

    static final Options NONE = new Options(Map.of());

    /** Whether a tag is made of options; {@code latest} is not. */
    static boolean areIn(String tag) {
        return ALL.matcher(tag).matches();
    }

    static Options of(String tag) {
        Map<String, Integer> values = new LinkedHashMap<>();
        if (areIn(tag)) {
            Matcher each = ONE.matcher(tag);
            while (each.find()) {
                values.put(each.group(1), Integer.parseInt(each.group(2)));
            }
        }
        return new Options(values);
    }

    int get(String name, int otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** These options, and {@code otherwise} where they say nothing. */
    Options or(String name, int otherwise) {
        Map<String, Integer> more = new LinkedHashMap<>(values);
        more.putIfAbsent(name, otherwise);
        return new Options(more);
    }
}
