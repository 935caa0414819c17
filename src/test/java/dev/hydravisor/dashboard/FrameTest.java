package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FrameTest {
    @Test
    void wideCharactersTakeTwoCells() {
        var frame = new Frame(10, 1);
        var end = frame.put(0, 0, "東京x", Role.TEXT);
        assertThat(end).isEqualTo(5);
        assertThat(frame.text(1, 0)).isNull();
        assertThat(frame.text(4, 0)).isEqualTo("x");
    }

    @Test
    void combiningMarksJoinTheirLetterAndJoinersAreLeftOut() {
        var frame = new Frame(10, 1);
        assertThat(frame.put(0, 0, "e\u0301a", Role.TEXT)).isEqualTo(2);
        assertThat(frame.text(0, 0)).isEqualTo("e\u0301");
        assertThat(Frame.width("👩\u200D💻")).isEqualTo(4);
        assertThat(Frame.width("❤\uFE0F")).isEqualTo(Frame.width("❤"));
    }

    @Test
    void whatDoesNotFitEndsWithAnEllipsisAndNeverInHalfACharacter() {
        var frame = new Frame(20, 1);
        frame.put(0, 0, 4, "東京都", Role.TEXT);
        assertThat(frame.toString()).isEqualTo("東…\n");
        assertThat(Frame.clip("abcdef", 4)).isEqualTo("abc…");
        assertThat(Frame.clip("abcd", 4)).isEqualTo("abcd");
    }

    @Test
    void nothingThatSteersATerminalGetsIn() {
        var frame = new Frame(40, 1);
        frame.put(0, 0, "a\033[2Jb\u009bc\u202ed\nx", Role.TEXT);
        assertThat(frame.toString()).isEqualTo("a?[2Jb?c?d?x\n");
    }

    @Test
    void whatLiesOutsideIsCutOff() {
        var frame = new Frame(5, 2);
        frame.put(3, 1, "abc", Role.TEXT);
        frame.put(0, 7, "abc", Role.TEXT);
        frame.put(9, 0, "abc", Role.TEXT);
        assertThat(frame.toString()).isEqualTo("\n   a…\n");
    }
}
