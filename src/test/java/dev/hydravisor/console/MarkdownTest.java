package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.jline.builtins.ScreenTerminal;
import org.jline.terminal.Size;
import org.jline.terminal.impl.LineDisciplineTerminal;
import org.jline.utils.AttributedString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Markdown as a terminal shows it, whole and in pieces. */
class MarkdownTest {
    private static final String ALL = """
            # A heading

            Some **bold**, some *slanted*, some `code`, a [link](https://example.org), and enough words to be broken into lines.
            A line of its own.

            - one
            - two
              1. first of two
              2. second, which is long enough to be broken in a narrow pane as well
            - three

            | name | size | what it is good for |
            |------|-----:|---------------------|
            | web  |   12 | serves pages        |
            | 日本 | 1200 | wide characters     |

            ```sh
            ls -la | head

            echo "a line of code that is longer than the narrow pane is wide, and is left to the terminal"
            ```

            > a quotation
            > of two lines

            ---

            The end.
            """;

    private static String text(String source, int width) {
        return text(Markdown.lines(Markdown.blocks(source, "", width)));
    }

    private static String text(List<AttributedString> lines) {
        return lines.stream().map(Object::toString).collect(Collectors.joining("\n"));
    }

    private static String ansi(String source) {
        return Markdown.lines(Markdown.blocks(source, "", 80)).stream()
                .map(Markdown::ansi)
                .collect(Collectors.joining("\n"));
    }

    @Test
    void everyBlockIsShownInItsForm() {
        assertThat(text(ALL, 60)).isEqualTo("""
                A heading

                Some bold, some slanted, some code, a link
                (https://example.org), and enough words to be broken into
                lines.
                A line of its own.

                • one
                • two
                  1. first of two
                  2. second, which is long enough to be broken in a narrow
                     pane as well
                • three

                name │ size │ what it is good for
                ─────┼──────┼────────────────────
                web  │   12 │ serves pages
                日本 │ 1200 │ wide characters

                  sh
                  ls -la | head
                \s\s
                  echo "a line of code that is longer than the narrow pane is wide, and is left to the terminal"

                │ a quotation
                │ of two lines

                ────────────────────────────────────────

                The end.""");
    }

    @Test
    void emphasisHeadingsAndCodeAreStyled() {
        assertThat(ansi("# Big")).isEqualTo("\033[4;1mBig\033[0m");
        assertThat(ansi("## Less")).isEqualTo("\033[1mLess\033[0m");
        assertThat(ansi("a **b** *c* `d`")).isEqualTo("a \033[1mb\033[0m \033[3mc\033[0m \033[36md\033[0m");
    }

    @Test
    void aTableThatIsTooWideGivesItsWidestColumnsLess() {
        var table = "| a | b |\n|---|---|\n| x | one two three four five six seven |\n";
        assertThat(text(table, 20)).isEqualTo("""
                a │ b
                ──┼─────────────────
                x │ one two three
                  │ four five six
                  │ seven""");
    }

    @Test
    void wideCharactersTakeTwoColumns() {
        assertThat(text("日本語日本語", 8)).isEqualTo("日本語日\n本語");
        assertThat(Markdown.wrap(new AttributedString("ab日本"), 3))
                .map(Object::toString)
                .containsExactly("ab", "日", "本");
    }

    @Test
    void noControlCharacterGetsThroughNotEvenAsAnEntity() {
        for (var source : List.of(
                "a &#27;[2J b",
                "`x&#x9b;`  &#x9b;2J",
                "[l](<&#27;]0;t>)",
                "```&#27;[2J\nx\n```",
                "<b &#27;[2J>\n\n&#x202e;abc",
                "| &#27;[2J |\n|---|\n| &#8; |\n",
                "[&#27;[2J]: &#27;[2J")) {
            assertThat(text(source, 80).replace("\n", ""))
                    .as(source)
                    .doesNotContainPattern("[\\p{Cntrl}\\x{80}-\\x{9f}\\x{202e}]");
        }
    }

    @Test
    void theNameStandsBeforeAParagraphAndAboveAllElse() {
        assertThat(text(Markdown.lines(Markdown.blocks("hello", "ollama:echo> ", 40))))
                .isEqualTo("ollama:echo> hello");
        assertThat(text(Markdown.lines(Markdown.blocks("- one", "ollama:echo> ", 40))))
                .isEqualTo("ollama:echo>\n• one");
        assertThat(text(Markdown.lines(Markdown.blocks("hello", "bedrock:eu.a.long-name> ", 30))))
                .isEqualTo("bedrock:eu.a.long-name>\nhello");
    }

    @ParameterizedTest
    @ValueSource(ints = {100, 60, 33, 20})
    void inPiecesItEndsUpLookingAsItDoesWhole(int width) throws IOException {
        for (int seed = 0; seed < 20; seed++) {
            var random = new Random(seed);
            var screen = new Screen(width, 200);
            var stream = new MarkdownStream(screen.live, "x:y> ");
            for (int i = 0; i < ALL.length(); ) {
                var next = Math.min(ALL.length(), i + 1 + random.nextInt(seed + 1));
                stream.append(ALL.substring(i, next));
                i = next;
            }
            screen.live.end();
            assertThat(screen.text()).isEqualTo(new Screen(width, 200).whole(ALL));
        }
    }

    @Test
    void onAScreenThatIsTooLowNothingIsSaidTwiceAndNothingIsLost() throws IOException {
        var screen = new Screen(60, 10);
        var stream = new MarkdownStream(screen.live, "x:y> ");
        for (int i = 0; i < ALL.length(); i++) {
            stream.append(ALL.substring(i, i + 1));
        }
        screen.live.end();
        assertThat(screen.text())
                .endsWith(
                        "longer than the narrow pane i\ns wide, and is left to the terminal\"\n\n│ a quotation\n│ of two lines\n\n"
                                + "─".repeat(40) + "\n\nThe end.");
    }

    @Test
    void aTokenThatGoesOnWithALineSendsNothingButItself() throws IOException {
        var screen = new Screen(60, 24);
        var stream = new MarkdownStream(screen.live, "x:y> ");
        stream.append("one");
        var before = screen.sent();
        stream.append(" two");
        assertThat(screen.sent().substring(before.length())).isEqualTo(" two");
    }

    @Test
    void longTextsAreSettledOnTheWay() throws IOException {
        var screen = new Screen(60, 24);
        var stream = new MarkdownStream(screen.live, "");
        for (int i = 0; i < 3000; i++) {
            stream.append("- the item of the number " + i + "\n");
        }
        stream.append("x".repeat(1_000_000));
        stream.append("the end");
        screen.live.end();
        assertThat(screen.sent()).contains("• the item of the number 2999");
        assertThat(screen.text()).endsWith("the end");
    }

    @Test
    void aLongListOrParagraphLooksAsItDoesWhole() throws IOException {
        var list = new StringBuilder("# Many\n\n");
        for (int i = 1; i <= 120; i++) {
            list.append(i + ". the item of this number\n   - and one below it\n" + (i > 60 ? "\n" : ""));
        }
        list.append("\nAnd then\n");
        for (int i = 1; i <= 120; i++) {
            list.append("a line of the number " + i + "\n");
        }
        var screen = new Screen(60, 900);
        var stream = new MarkdownStream(screen.live, "x:y> ");
        for (int i = 0; i < list.length(); i += 7) {
            stream.append(list.substring(i, Math.min(list.length(), i + 7)));
        }
        screen.live.end();
        var text = screen.text();
        assertThat(text)
                .contains("99. the item of this number\n", "100. the item of this number\n", "• and one below it")
                .contains("And then\na line of the number 1\n")
                .endsWith("a line of the number 119\na line of the number 120");
        assertThat(text.lines().filter(l -> l.contains("the item of"))).hasSize(120);
    }

    /** A terminal that draws what it is sent. */
    private static final class Screen {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final ScreenTerminal screen;
        private final LineDisciplineTerminal terminal;
        private final LiveText live;

        Screen(int columns, int rows) throws IOException {
            terminal = new LineDisciplineTerminal("test", "xterm", bytes, StandardCharsets.UTF_8);
            terminal.setSize(new Size(columns, rows));
            screen = new ScreenTerminal(columns, rows);
            live = new LiveText(terminal);
        }

        String sent() {
            return bytes.toString(StandardCharsets.UTF_8);
        }

        String whole(String source) {
            live.show(Markdown.lines(Markdown.blocks(source, "x:y> ", live.columns())));
            live.end();
            return text();
        }

        String text() {
            screen.write(sent());
            return screen.toString()
                    .lines()
                    .map(String::stripTrailing)
                    .collect(Collectors.joining("\n"))
                    .stripTrailing();
        }
    }
}
