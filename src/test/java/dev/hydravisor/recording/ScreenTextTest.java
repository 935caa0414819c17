package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ScreenTextTest {
    private static String text(int cols, int rows, String printed) throws IOException {
        var out = new StringWriter();
        var text = new ScreenText(out, cols, rows);
        text.feed(printed);
        text.finish();
        return out.toString();
    }

    @Test
    void linesThatScrolledOffAndTheScreenAreKeptInOrder() throws IOException {
        assertThat(text(10, 3, "1\r\n2\r\n3\r\n4\r\n5")).isEqualTo("1\n2\n3\n4\n5\n");
    }

    @Test
    void aLineIsReadAsItStoodWhenItWasDoneEditing() throws IOException {
        assertThat(text(40, 5, "$ lx\b \bs -l\033[3Dx\033[P\033[K\r\n10 %\r50 %\r100 %\r\n\033[31mred\033[0m\r\n"))
                .isEqualTo("$ lsx\n100 %\nred\n");
    }

    @Test
    void softWrappedLinesAreJoinedAndHardOnesAreNot() throws IOException {
        assertThat(text(5, 3, "abcdefghijklmnop\r\nabcde\r\nf")).isEqualTo("abcdefghijklmnop\nabcde\nf\n");
    }

    @Test
    void wideAndCombiningCharactersTakeTheirColumns() throws IOException {
        assertThat(text(6, 3, "漢字e\u0301x\033[2G.")).isEqualTo(" .字e\u0301x\n");
        assertThat(text(5, 3, "abcd漢")).isEqualTo("abcd 漢\n");
    }

    @Test
    void aClearedScreenIsKept() throws IOException {
        assertThat(text(10, 3, "old\r\n\033[H\033[2Jnew\r\n")).isEqualTo("old\nnew\n");
        assertThat(text(10, 3, "old\r\n\033[H\033[Jnew\r\n")).isEqualTo("old\nnew\n");
    }

    @Test
    void ofAFullScreenProgramItsLastScreenIsKeptBetweenMarks() throws IOException {
        assertThat(text(20, 4, "$ vi\r\n\033[?1049h\033[Hone\033[2;1Htwo\033[Htre\033[?1049l$ exit\r\n"))
                .isEqualTo("$ vi\n[full screen]\ntre\ntwo\n[end of full screen]\n$ exit\n");
    }

    @Test
    void controlStringsAreNoText() throws IOException {
        assertThat(text(20, 4, "a\033]0;title\007b\033Pq#0\033\\c\033_x\033\\d\033]8;;http://x\033\\e"))
                .isEqualTo("abcde\n");
    }

    @Test
    void nothingThatAProgramPrintsBreaksItOrBringsAControlCharacterIntoTheText() throws IOException {
        var random = new Random(7);
        var letters =
                "\033\033\033[[[]P;:?>0123456789ABCDEFGHJKLMPSTXabcdefhlmnrsu@`\b\t\n\r\u0018\u009b\u0007\\漢字e\u0301😀 %";
        for (int round = 0; round < 300; round++) {
            var printed = new StringBuilder();
            for (int i = 0; i < 2_000; i++) {
                printed.append(letters.charAt(random.nextInt(letters.length())));
            }
            var text = text(1 + random.nextInt(30), 1 + random.nextInt(10), printed.toString());
            assertThat(text.chars().filter(c -> c != '\n' && Character.isISOControl(c)))
                    .isEmpty();
        }
    }
}
