package dev.hydravisor.console;

import dev.hydravisor.console.Markdown.Block;
import java.util.List;
import org.jline.utils.AttributedString;

/** A text in Markdown that comes in pieces, each of them shown at once: only its last block is read and drawn anew. */
final class MarkdownStream {
    /** Of a block that grows beyond this, in characters, what is there is settled: of a paragraph or a list soon, since it does not show. */
    private static final int LONG = 1500;

    private static final int LONGEST = 16 << 10;

    private final LiveText live;
    private final StringBuilder open = new StringBuilder();
    private String name;

    /** {@code name} stands before the first line. */
    MarkdownStream(LiveText live, String name) {
        this.live = live;
        this.name = name;
    }

    /** Shows the next piece, which must be safe for a terminal. */
    void append(String piece) {
        open.append(piece);
        show();
        if (piece.indexOf('\n') >= 0) {
            settle(open.lastIndexOf("\n") + 1);
        }
        if (open.length() > LONGEST) {
            var line = open.lastIndexOf("\n") + 1;
            cut(line > 0 ? line : open.length());
        }
    }

    /** Where the last line begins that is not indented; 0 if that is the only one. */
    private int lastLine() {
        int line = open.lastIndexOf("\n");
        while (line > 0 && (line + 1 == open.length() || Character.isWhitespace(open.charAt(line + 1)))) {
            line = open.lastIndexOf("\n", line - 1);
        }
        return line + 1;
    }

    /** Settles, of the first so many characters, all blocks but the last, and of an open block of code each line. */
    private void settle(int end) {
        var blocks = Markdown.blocks(open.substring(0, end), name, live.columns());
        if (blocks.isEmpty()) {
            return;
        }
        var last = blocks.getLast();
        if (blocks.size() > 1) {
            live.forget(Markdown.lines(blocks.subList(0, blocks.size() - 1)).size() + 1);
        }
        if (last.fence().isEmpty()) {
            open.delete(0, blocks.size() == 1 ? 0 : last.start());
        } else {
            live.forget(last.lines().size());
            open.replace(0, end, last.fence() + "\n");
        }
        if (blocks.size() > 1 || !last.fence().isEmpty()) {
            name = "";
        }
        if (last.divisible() && open.length() > LONG && lastLine() > 0) {
            cut(lastLine());
        }
    }

    private void cut(int end) {
        var lines = Markdown.lines(blocks(open.substring(0, end)));
        if (open.substring(0, end).endsWith("\n\n")) {
            lines.add(AttributedString.EMPTY);
        }
        live.show(lines);
        live.forget(lines.size());
        open.delete(0, end);
        name = "";
        show();
    }

    private void show() {
        live.show(Markdown.lines(blocks(open.toString())));
    }

    private List<Block> blocks(String source) {
        return Markdown.blocks(source, name, live.columns());
    }
}
