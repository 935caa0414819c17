package dev.hydravisor.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ForeignTextTest {
    static Stream<Arguments> cases() {
        return Stream.of(
                Arguments.of("plain text,\twith a tab\nand a line", "plain text,\twith a tab\nand a line"),
                Arguments.of("grüße 日本語 👩‍🔧 e\u0301 עברית", "grüße 日本語 👩‍🔧 e\u0301 עברית"),
                Arguments.of("a\u001b[31mred\u001b[0m b", "ared b"),
                Arguments.of("a\u001b[38;2;1;2;3m\u001b[?1049h\u001b[2J\u001b[H\u001b[6n\u001b[cb", "ab"),
                Arguments.of("a\u001b]0;title\u0007b", "ab"),
                Arguments.of("a\u001b]0;title\u001b\\b", "ab"),
                Arguments.of("a\u001b]52;c;cm0gLXJmIH4=\u0007b", "ab"),
                Arguments.of("\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\ b", "link b"),
                Arguments.of("a\u001bP+q544e\u001b\\b\u001b_x\u001b\\c\u001b^x\u001b\\d\u001bXx\u001b\\e", "abcde"),
                Arguments.of("a\u001bcb\u001b(Bc\u001b7d\u001b#8e\u001b=f", "abcdef"),
                Arguments.of("a\u009b32mb\u009d0;title\u009cc\u0090x\u009cd\u0085e", "abcde"),
                Arguments.of("a\b\b\u0000\u007f\u000e\u000f\u0007\u000bb", "ab"),
                Arguments.of("a\r\nb\rc", "a\nbc"),
                Arguments.of("a\u202edlrow\u202c \u2066b\u2069", "adlrow b"),
                Arguments.of("a\u2028b\u2029c", "a\nb\nc"),
                Arguments.of("a\u001b]0;never ended\nb", "a\nb"),
                Arguments.of("a\u001b[12;\nb", "a\nb"),
                Arguments.of("a\u001b\nb", "a\nb"),
                Arguments.of("a\u001b\u001b[31mb", "ab"),
                Arguments.of("a\u001b[3\u001b[31mb", "ab"),
                Arguments.of("a\u001b]0;t\u001b[31mb", "ab"),
                Arguments.of("a\u001bé[31m", "aé[31m"),
                Arguments.of("ends in an escape\u001b", "ends in an escape"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void takesAwayWhatSteersATerminal(String text, String plain) {
        assertThat(ForeignText.plain(text)).isEqualTo(plain);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void doesSoWhereverTheTextIsTorn(String text, String plain) {
        for (int i = 0; i <= text.length(); i++) {
            for (int j = i; j <= text.length(); j++) {
                var stripper = new ForeignText();
                var pieces = stripper.next(text.substring(0, i))
                        + stripper.next(text.substring(i, j))
                        + stripper.next(text.substring(j));
                assertThat(pieces).as("torn at %d and %d", i, j).isEqualTo(plain);
            }
        }
    }

    @Test
    void letsNoControlCharacterThroughWhateverItGets() {
        var alphabet = "\u001b[]();?0m\\PX^_\u0007\u009b\u009c\u009d\u0090ab \n\t\r\b\u007f\u0000\u202e".toCharArray();
        var random = new Random(1);
        for (int run = 0; run < 20_000; run++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(20); i > 0; i--) {
                text.append(alphabet[random.nextInt(alphabet.length)]);
            }
            assertThat(ForeignText.plain(text.toString()))
                    .doesNotContainPattern("[\\p{Cntrl}\\x{80}-\\x{9f}\\x{202e}&&[^\\n\\t]]");
        }
    }
}
