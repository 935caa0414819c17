package dev.hydravisor.console;

import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.List;
import org.jline.reader.CompletingParsedLine;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;

/**
 * Splits a typed line into words as a shell does, without a shell's powers: blanks part words; single quotes keep all, double quotes
 * all but a backslash before {@code "} or {@code \}; outside quotes a backslash keeps the next character; {@code #} at the start of a
 * word begins a comment.
 */
final class Words implements Parser {
    private record Word(String text, int start, int end, char openQuote) {}

    /** @throws HydraException USAGE when a quote is not closed */
    static List<String> split(String line) {
        var words = scan(line, line.length());
        if (!words.isEmpty() && words.getLast().openQuote() != 0) {
            throw HydraException.usage("the quote " + words.getLast().openQuote() + " is not closed");
        }
        return words.stream().map(Word::text).toList();
    }

    @Override
    public ParsedLine parse(String line, int cursor, ParseContext context) {
        var all = scan(line, line.length()).stream().map(Word::text).toList();
        if (context != ParseContext.COMPLETE) {
            return new Parsed(line, cursor, all, all.size() - 1, "", new Word("", cursor, cursor, (char) 0));
        }
        // The word under the cursor ends at the cursor: what is behind it is not completed.
        var before = scan(line, cursor);
        var inWord = !before.isEmpty() && before.getLast().end() == cursor;
        var word = inWord ? before.getLast() : new Word("", cursor, cursor, (char) 0);
        var words = new ArrayList<>(before.stream().map(Word::text).toList());
        if (!inWord) {
            words.add("");
        }
        return new Parsed(line, cursor, words, words.size() - 1, word.text(), word);
    }

    @Override
    public boolean isEscapeChar(char c) {
        return c == '\\';
    }

    private static List<Word> scan(String line, int end) {
        var words = new ArrayList<Word>();
        int at = 0;
        while (true) {
            while (at < end && Character.isWhitespace(line.charAt(at))) {
                at++;
            }
            if (at >= end || line.charAt(at) == '#') {
                return words;
            }
            var start = at;
            var text = new StringBuilder();
            char quote = 0;
            while (at < end && (quote != 0 || !Character.isWhitespace(line.charAt(at)))) {
                var c = line.charAt(at);
                if (quote == 0 && (c == '"' || c == '\'')) {
                    quote = c;
                } else if (c == quote) {
                    quote = 0;
                } else if (c == '\\'
                        && quote != '\''
                        && at + 1 < end
                        && (quote == 0 || line.charAt(at + 1) == '"' || line.charAt(at + 1) == '\\')) {
                    at++;
                    text.append(line.charAt(at));
                } else {
                    text.append(c);
                }
                at++;
            }
            words.add(new Word(text.toString(), start, at, quote));
        }
    }

    /** Quotes a word so that {@link #split} gives it back. */
    static String quote(String word) {
        if (!word.isEmpty() && word.chars().noneMatch(c -> Character.isWhitespace(c) || "\"'\\#".indexOf(c) >= 0)) {
            return word;
        }
        return "'" + word.replace("'", "'\\''") + "'";
    }

    private record Parsed(String line, int cursor, List<String> words, int wordIndex, String word, Word raw)
            implements CompletingParsedLine {
        @Override
        public int wordCursor() {
            return word.length();
        }

        @Override
        public CharSequence escape(CharSequence candidate, boolean complete) {
            return complete ? quote(candidate.toString()) : candidate;
        }

        @Override
        public int rawWordCursor() {
            return raw.end() - raw.start();
        }

        @Override
        public int rawWordLength() {
            return raw.end() - raw.start();
        }
    }
}
