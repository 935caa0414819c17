package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.commonmark.ext.gfm.tables.TableBlock;
import org.commonmark.ext.gfm.tables.TableCell;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.node.BlockQuote;
import org.commonmark.node.BulletList;
import org.commonmark.node.Code;
import org.commonmark.node.Emphasis;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.HardLineBreak;
import org.commonmark.node.Heading;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.HtmlInline;
import org.commonmark.node.Image;
import org.commonmark.node.IndentedCodeBlock;
import org.commonmark.node.Link;
import org.commonmark.node.LinkReferenceDefinition;
import org.commonmark.node.ListBlock;
import org.commonmark.node.Node;
import org.commonmark.node.OrderedList;
import org.commonmark.node.Paragraph;
import org.commonmark.node.SoftLineBreak;
import org.commonmark.node.StrongEmphasis;
import org.commonmark.node.Text;
import org.commonmark.node.ThematicBreak;
import org.commonmark.parser.IncludeSourceSpans;
import org.commonmark.parser.Parser;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;
import org.jline.utils.WCWidth;
import org.jspecify.annotations.Nullable;

/**
 * Markdown as lines for a terminal of some width: headings, emphasis, lists, quotations, code, tables. A line break of the source stays
 * one; a line of code keeps its length, and is the terminal's to wrap, so that it can be copied whole. No control character gets
 * through, not even one that is written as an entity.
 */
final class Markdown {
    static final AttributedStyle DIM = AttributedStyle.DEFAULT.faint();
    private static final AttributedStyle CODE = AttributedStyle.DEFAULT.foreground(AttributedStyle.CYAN);
    private static final Parser PARSER = Parser.builder()
            .extensions(List.of(TablesExtension.create()))
            .includeSourceSpans(IncludeSourceSpans.BLOCKS)
            .build();
    private static final int LONGEST_RULE = 40;
    private static final int NARROWEST = 8;
    private static final int TAB = 4;

    /**
     * One block of the text.
     *
     * @param start where its first line begins in the source
     * @param divisible whether its lines would look the same as several blocks
     * @param fence what opens it again, if it is a block of code whose end has not come; else empty
     */
    record Block(int start, boolean divisible, String fence, List<AttributedString> lines) {}

    private Markdown() {}

    /**
     * The blocks of a text.
     *
     * @param name stands before the first line, or above it where that is better
     */
    static List<Block> blocks(String source, String name, int width) {
        var blocks = new ArrayList<Block>();
        var wide = Math.max(width, NARROWEST);
        for (var node : children(PARSER.parse(source))) {
            var lines = new ArrayList<AttributedString>();
            if (!blocks.isEmpty() || name.isEmpty()) {
                lines.addAll(block(node, wide));
            } else if (node instanceof Paragraph && columns(name) <= wide / 2) {
                lines.addAll(wrap(join(new AttributedString(name), inline(node, AttributedStyle.DEFAULT)), wide));
            } else {
                lines.addAll(wrap(new AttributedString(name.stripTrailing()), wide));
                lines.addAll(block(node, wide));
            }
            var spans = node.getSourceSpans();
            var start = spans.isEmpty() ? 0 : spans.getFirst().getInputIndex();
            blocks.add(new Block(
                    source.lastIndexOf('\n', start - 1) + 1,
                    node instanceof Paragraph || node instanceof ListBlock,
                    openFence(node),
                    lines));
        }
        return blocks;
    }

    /** Blocks as they stand below each other. */
    static List<AttributedString> lines(List<Block> blocks) {
        var lines = new ArrayList<AttributedString>();
        for (int i = 0; i < blocks.size(); i++) {
            if (i > 0) {
                lines.add(AttributedString.EMPTY);
            }
            lines.addAll(blocks.get(i).lines());
        }
        return lines;
    }

    /** A line with its styles, its characters as they are: JLine's own way makes letters of lines. */
    static String ansi(AttributedString line) {
        var text = new StringBuilder();
        for (int i = 0; i < line.length(); i = line.runLimit(i)) {
            var codes = line.styleAt(i).toAnsi().strip();
            var run = line.subSequence(i, line.runLimit(i));
            text.append(codes.isEmpty() ? run : "\033[" + codes + "m" + run + "\033[0m");
        }
        return text.toString();
    }

    private static String openFence(Node node) {
        if (node instanceof FencedCodeBlock code && code.getClosingFenceLength() == null) {
            var length = code.getOpeningFenceLength();
            return " ".repeat(code.getFenceIndent()) + code.getFenceCharacter().repeat(length == null ? 3 : length);
        }
        return "";
    }

    private static List<AttributedString> block(Node node, int width) {
        return switch (node) {
            case Heading heading -> {
                var bold = AttributedStyle.BOLD;
                yield wrap(inline(heading, heading.getLevel() == 1 ? bold.underline() : bold), width);
            }
            case ListBlock list -> list(list, width);
            case BlockQuote quote -> {
                var lines = new ArrayList<AttributedString>();
                for (var line : blocks(quote, false, width - 2)) {
                    lines.add(join(new AttributedString("│ ", DIM), line));
                }
                yield lines;
            }
            case FencedCodeBlock code -> code(code.getLiteral(), code.getInfo());
            case IndentedCodeBlock code -> code(code.getLiteral(), "");
            case HtmlBlock html -> wrap(plain(html.getLiteral()), width);
            case ThematicBreak _ -> List.of(new AttributedString("─".repeat(Math.min(width, LONGEST_RULE)), DIM));
            case TableBlock table -> table(table, width);
            case LinkReferenceDefinition link ->
                wrap(plain("[" + link.getLabel() + "]: " + link.getDestination()), width);
            default -> wrap(inline(node, AttributedStyle.DEFAULT), width);
        };
    }

    private static List<AttributedString> blocks(Node parent, boolean tight, int width) {
        var lines = new ArrayList<AttributedString>();
        for (var child : children(parent)) {
            if (!lines.isEmpty() && !tight) {
                lines.add(AttributedString.EMPTY);
            }
            lines.addAll(block(child, Math.max(width, NARROWEST)));
        }
        return lines;
    }

    private static List<AttributedString> list(ListBlock list, int width) {
        var lines = new ArrayList<AttributedString>();
        var first = list instanceof OrderedList ordered && ordered.getMarkerStartNumber() != null
                ? ordered.getMarkerStartNumber()
                : 1;
        var items = children(list);
        var indent = list instanceof BulletList
                ? 2
                : Integer.toString(first + items.size() - 1).length() + 2;
        for (int i = 0; i < items.size(); i++) {
            if (i > 0 && !list.isTight()) {
                lines.add(AttributedString.EMPTY);
            }
            var marker = list instanceof BulletList ? "•" : first + i + ".";
            var content = blocks(items.get(i), list.isTight(), width - indent);
            for (int j = 0; j < Math.max(1, content.size()); j++) {
                var before = j == 0 ? marker + " ".repeat(indent - marker.length()) : " ".repeat(indent);
                lines.add(content.isEmpty() ? plain(marker) : join(new AttributedString(before), content.get(j)));
            }
        }
        return lines;
    }

    private static List<AttributedString> code(String literal, @Nullable String info) {
        var lines = new ArrayList<AttributedString>();
        if (info != null && !info.isBlank()) {
            lines.add(new AttributedString("  " + clean(info.strip()), DIM));
        }
        literal.lines().forEach(l -> lines.add(join(new AttributedString("  "), new AttributedString(clean(l), CODE))));
        return lines;
    }

    private static List<AttributedString> table(TableBlock table, int width) {
        var rows = new ArrayList<List<AttributedString>>();
        var alignments = new ArrayList<TableCell.Alignment>();
        for (var part : children(table)) {
            for (var row : children(part)) {
                var cells = new ArrayList<AttributedString>();
                for (var cell : children(row)) {
                    if (rows.isEmpty()) {
                        alignments.add(((TableCell) cell).getAlignment());
                    }
                    cells.add(inline(cell, rows.isEmpty() ? AttributedStyle.BOLD : AttributedStyle.DEFAULT));
                }
                rows.add(cells);
            }
        }
        var widths = widths(rows, alignments.size(), width);
        var lines = new ArrayList<AttributedString>();
        for (int i = 0; i < rows.size(); i++) {
            lines.addAll(row(rows.get(i), widths, alignments));
            if (i == 0) {
                lines.add(new AttributedString(
                        String.join(
                                "─┼─",
                                Arrays.stream(widths).mapToObj("─"::repeat).toList()),
                        DIM));
            }
        }
        return lines;
    }

    /** As wide as the cells are; where that is too much, the widest give. */
    private static int[] widths(List<List<AttributedString>> rows, int columns, int width) {
        var widths = new int[columns];
        for (var row : rows) {
            for (int i = 0; i < Math.min(columns, row.size()); i++) {
                widths[i] = Math.max(widths[i], Math.max(1, row.get(i).columnLength()));
            }
        }
        var room = Math.max(width - 3 * (columns - 1), columns);
        while (Arrays.stream(widths).sum() > room) {
            int widest = 0;
            for (int i = 1; i < columns; i++) {
                widest = widths[i] > widths[widest] ? i : widest;
            }
            widths[widest]--;
        }
        return widths;
    }

    private static List<AttributedString> row(
            List<AttributedString> cells, int[] widths, List<TableCell.Alignment> alignments) {
        var wrapped = new ArrayList<List<AttributedString>>();
        for (int i = 0; i < widths.length; i++) {
            wrapped.add(wrap(i < cells.size() ? cells.get(i) : AttributedString.EMPTY, widths[i]));
        }
        var height = wrapped.stream().mapToInt(List::size).max().orElse(1);
        var lines = new ArrayList<AttributedString>();
        for (int y = 0; y < height; y++) {
            var line = new AttributedStringBuilder();
            for (int x = 0; x < widths.length; x++) {
                if (x > 0) {
                    line.styled(DIM, " │ ");
                }
                var cell = y < wrapped.get(x).size() ? wrapped.get(x).get(y) : AttributedString.EMPTY;
                var blank = Math.max(0, widths[x] - cell.columnLength());
                var before = alignments.get(x) == TableCell.Alignment.RIGHT
                        ? blank
                        : alignments.get(x) == TableCell.Alignment.CENTER ? blank / 2 : 0;
                line.append(" ".repeat(before)).append(cell);
                if (x < widths.length - 1) {
                    line.append(" ".repeat(blank - before));
                }
            }
            lines.add(line.toAttributedString());
        }
        return lines;
    }

    private static AttributedString inline(Node parent, AttributedStyle style) {
        var text = new AttributedStringBuilder();
        for (var node : children(parent)) {
            switch (node) {
                case Text t -> text.styled(style, clean(t.getLiteral()));
                case Code c -> text.styled(style.foreground(AttributedStyle.CYAN), clean(c.getLiteral()));
                case HtmlInline h -> text.styled(style, clean(h.getLiteral()));
                case Emphasis _ -> text.append(inline(node, style.italic()));
                case StrongEmphasis _ -> text.append(inline(node, style.bold()));
                case SoftLineBreak _ -> text.append("\n");
                case HardLineBreak _ -> text.append("\n");
                case Link link -> {
                    var shown = inline(link, style.underline());
                    text.append(shown);
                    if (!shown.toString().equals(link.getDestination())) {
                        text.styled(DIM, " (" + clean(link.getDestination()) + ")");
                    }
                }
                case Image image ->
                    text.append(inline(image, style)).styled(DIM, " (" + clean(image.getDestination()) + ")");
                default -> text.append(inline(node, style));
            }
        }
        return text.toAttributedString();
    }

    /**
     * Breaks a text into lines: at its newlines, and where a line becomes too long at the last blank, or before a wide character, or
     * anywhere when there is neither.
     */
    static List<AttributedString> wrap(AttributedString text, int width) {
        var lines = new ArrayList<AttributedString>();
        int start = 0;
        int column = 0;
        int gap = -1; // where the line may end, and where the next would go on
        int next = -1;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int after = i + Character.charCount(c);
            if (c == '\n') {
                lines.add(text.subSequence(start, i));
                start = after;
                column = 0;
                gap = -1;
                i = after;
                continue;
            }
            int wide = Math.max(0, WCWidth.wcwidth(c));
            if (c == ' ') {
                gap = i;
                next = after;
            } else if (wide == 2) {
                gap = i;
                next = i;
            }
            if (column + wide > width && i > start && c != ' ') {
                if (gap <= start) {
                    gap = i;
                    next = i;
                }
                lines.add(text.subSequence(start, gap));
                start = next;
                column = text.subSequence(start, i).columnLength();
                gap = -1;
            }
            column += wide;
            i = after;
        }
        if (start < text.length() || lines.isEmpty()) {
            lines.add(text.subSequence(start, text.length()));
        }
        return lines;
    }

    private static List<Node> children(Node parent) {
        var children = new ArrayList<Node>();
        for (var child = parent.getFirstChild(); child != null; child = child.getNext()) {
            children.add(child);
        }
        return children;
    }

    private static AttributedString join(AttributedString a, AttributedString b) {
        return new AttributedStringBuilder().append(a).append(b).toAttributedString();
    }

    private static AttributedString plain(String text) {
        return new AttributedString(
                text.lines().map(Markdown::clean).reduce((a, b) -> a + "\n" + b).orElse(""));
    }

    private static int columns(String text) {
        return new AttributedString(text).columnLength();
    }

    private static String clean(String text) {
        var tab = text.indexOf('\t');
        if (tab >= 0) {
            var spaced = new StringBuilder();
            for (int i = 0; i < text.length(); i++) {
                spaced.append(
                        text.charAt(i) == '\t' ? " ".repeat(TAB - spaced.length() % TAB) : text.substring(i, i + 1));
            }
            return PlainText.safe(spaced.toString());
        }
        return PlainText.safe(text);
    }
}
