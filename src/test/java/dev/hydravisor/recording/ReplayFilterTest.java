package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ReplayFilterTest {
    @Test
    void whatDrawsIsPassedOnUnchangedHoweverItIsCutUp() {
        var drawing =
                "a\033[1;38:2::1:2:3mb\033[3;9r\033[?25l\033(0q\033(B\0337\033[5;5H\0338漢\r\n\033]8;;http://x\033\\y\033[!p\033[?1049hz";
        assertThat(new Replay.Filter().pass(drawing)).isEqualTo(drawing);
        var filter = new Replay.Filter();
        var passed = new StringBuilder();
        drawing.chars().forEach(c -> passed.append(filter.pass(Character.toString(c))));
        assertThat(passed.toString()).isEqualTo(drawing);
    }

    @Test
    void whatWouldMakeTheTerminalAnswerTypeOrChangeIsLeftOut() {
        for (var acting : List.of(
                "\033[c",
                "\033[>c",
                "\033[6n",
                "\033[?6n",
                "\033[x",
                "\033[>q",
                "\033[?2026$p",
                "\033[?u",
                "\033[>1u",
                "\033[14t",
                "\033[8;1;1t",
                "\033[>4;2m",
                "\033Z",
                "\005",
                "\033]0;title\007",
                "\033]52;c;aGk=\007",
                "\033]10;?\007",
                "\033]4;1;?\033\\",
                "\033P$qm\033\\",
                "\033P+q544e\033\\",
                "\033_Ga=q\033\\",
                "\033ktitle\033\\",
                "\033[?1003h",
                "\033[?1003;2004h",
                "\033[?1h\033=",
                "\033]777;notify;x\007")) {
            assertThat(new Replay.Filter().pass("a" + acting + "b").replace("\0", ""))
                    .as(acting)
                    .isEqualTo("ab");
        }
        assertThat(new Replay.Filter().pass("\033[?25;1003l"))
                .startsWith("\033[?25l")
                .doesNotContain("1003");
    }

    @Test
    void aDeviceControlStringEndsWhereTmuxEndsIt() {
        assertThat(new Replay.Filter().pass("a\033P1$qm\030\033[31mno\033]0;x\007\033\\b"))
                .isEqualTo("a\0b");
        assertThat(new Replay.Filter().pass("a\033P1\030\033[31mb")).isEqualTo("a\030\033[31mb");
        assertThat(new Replay.Filter().pass("a\033P1:q\033[31mb")).isEqualTo("a\0\033[31mb");
    }

    @Test
    void whatIsLeftOutPartsACharacterFromItsRepeat() {
        for (var acting : List.of("\005", "\033[6n", "\033Z", "\033P+q544e\033\\", "\033]777;x\007")) {
            assertThat(new Replay.Filter().pass("a" + acting + "\033[3b")).isEqualTo("a\0\033[3b");
        }
    }

    @Test
    void onlyWhatWasChangedIsUndone() {
        assertThat(new Replay.Filter().restore()).doesNotContain("1049", "]104");
        var filter = new Replay.Filter();
        filter.pass("\033[?1049h\033]4;1;#123456\007");
        assertThat(filter.restore()).contains("\033[?1049l", "\033]104");
        filter.pass("\033[?1049l");
        assertThat(filter.restore()).doesNotContain("1049");
    }
}
