package dev.hydravisor.recording;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a recording as one animated SVG, without any script: its screens stand side by side and are drawn past a window. Of a
 * long recording fewer screens are taken, for whatever plays it holds them all.
 */
final class Svg {
    /** The most screens; beyond, every other one is dropped and half as many are taken from there on. */
    private static final int MOST = 600;

    private static final long FIRST_STEP_MICROS = 80_000;
    /** The longest pause that is kept, and how long the last screen stands. */
    private static final long PAUSE_MICROS = 2_000_000;

    private static final long END_MICROS = 3_000_000;

    private static final double CELL = 8.4;
    private static final int LINE = 18;
    private static final int MARGIN = 10;
    private static final String INK = "#d0d0d0";
    private static final String PAPER = "#121314";

    /** A screen, by the numbers of its rows, and when it begins. */
    private record Shot(long micros, List<Integer> rows) {}

    private final ScreenText screen;
    private final Map<String, Integer> rows = new LinkedHashMap<>();
    private final List<Shot> shots = new ArrayList<>();
    private long step = FIRST_STEP_MICROS;
    private long played;
    /** Since when there is on the screen what no screen taken shows; below 0 for nothing. */
    private long since;

    private int columns;
    private int lines;

    private Svg(int cols, int rows) {
        screen = new ScreenText((_, _) -> {}, cols, rows);
        columns = screen.columnCount();
        lines = screen.rowCount();
    }

    static void write(Archive archive, Archive.Meta meta, Writer out) throws IOException, InterruptedException {
        var svg = new Svg(meta.cols(), meta.rows());
        var before = new long[1];
        try {
            Events.read(archive, (micros, code, data) -> {
                svg.passed(micros - before[0]);
                before[0] = micros;
                if (code == 'o') {
                    svg.changed();
                    svg.screen.feed(data);
                } else if (code == 'r') {
                    svg.changed();
                    svg.screen.resize(data);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        svg.shoot();
        svg.write(meta.title(), out);
    }

    private void changed() {
        since = since < 0 ? played : since;
    }

    /** Time passes: what stood on the screen until now is taken, where something is new for long enough. */
    private void passed(long micros) {
        played += Math.clamp(micros, 0, PAUSE_MICROS);
        if (since >= 0 && played - since >= step) {
            shoot();
        }
    }

    private void shoot() {
        columns = Math.max(columns, screen.columnCount());
        lines = Math.max(lines, screen.rowCount());
        var shot = new ArrayList<Integer>();
        for (int y = 0; y < screen.rowCount(); y++) {
            var row = row(y);
            shot.add(row.isEmpty() ? -1 : rows.computeIfAbsent(row, _ -> rows.size()));
        }
        var from = Math.max(0, since);
        since = -1;
        if (!shots.isEmpty() && shots.getLast().rows().equals(shot)) {
            return;
        }
        shots.add(new Shot(from, shot));
        if (shots.size() > MOST) {
            step *= 2;
            for (int i = shots.size() - 2; i > 0; i -= 2) {
                shots.remove(i);
            }
        }
    }

    private String row(int y) {
        var svg = new StringBuilder();
        screen.runs(y, (column, width, _, text, look) -> run(svg, column, width, text, look));
        return svg.toString();
    }

    private static void run(StringBuilder svg, int column, int width, String text, long look) {
        var ink = colour(Look.foreground(look));
        var paper = colour(Look.background(look));
        if ((look & Look.INVERSE) != 0) {
            var swap = ink == null ? INK : ink;
            ink = paper == null ? PAPER : paper;
            paper = swap;
        }
        var x = number(column * CELL);
        if (paper != null) {
            svg.append("<rect x=\"%s\" width=\"%s\" height=\"%d\" fill=\"%s\"/>"
                    .formatted(x, number(width * CELL + 0.3), LINE, paper));
        }
        if (text.isBlank() && (look & (Look.UNDERLINE | Look.STRUCK)) == 0 || (look & Look.HIDDEN) != 0) {
            return;
        }
        var drawn = (look & (Look.UNDERLINE | Look.STRUCK)) == 0 ? text.stripTrailing() : text;
        var length = width - (text.length() - drawn.length());
        svg.append("<text x=\"%s\" y=\"13\" textLength=\"%s\"".formatted(x, number(length * CELL)));
        attribute(svg, "fill", ink);
        attribute(svg, "font-weight", (look & Look.BOLD) == 0 ? null : "bold");
        attribute(svg, "opacity", (look & Look.DIM) == 0 ? null : ".6");
        attribute(svg, "font-style", (look & Look.ITALIC) == 0 ? null : "italic");
        var line =
                ((look & Look.UNDERLINE) == 0 ? "" : "underline ") + ((look & Look.STRUCK) == 0 ? "" : "line-through");
        attribute(svg, "text-decoration", line.isEmpty() ? null : line.strip());
        svg.append('>').append(escape(drawn)).append("</text>");
    }

    private static void attribute(StringBuilder svg, String name, @Nullable String value) {
        if (value != null) {
            svg.append(' ').append(name).append("=\"").append(value).append('"');
        }
    }

    private static @Nullable String colour(int colour) {
        return colour == 0 ? null : String.format("#%06x", colour & 0xFFFFFF);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value).replaceFirst("\\.0$", "");
    }

    /** What XML cannot hold becomes U+FFFD. */
    private static String escape(String text) {
        var out = new StringBuilder();
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                default -> {
                    var allowed =
                            c >= 0x20 && c < 0x7F || c > 0x9F && c < 0xD800 || c > 0xDFFF && (c & 0xFFFE) != 0xFFFE;
                    out.appendCodePoint(allowed ? c : 0xFFFD);
                }
            }
        });
        return out.toString();
    }

    private void write(String title, Writer out) throws IOException {
        var width = columns * CELL;
        var height = lines * LINE;
        var total = played + END_MICROS;
        out.write("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%d\" viewBox=\"0 0 %1$s %2$d\">\n"
                .formatted(number(width + 2 * MARGIN), height + 2 * MARGIN));
        out.write("<title>" + escape(title) + "</title>\n<style>\n");
        out.write("#strip { font: 14px 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace; fill: "
                + INK + " }\ntext { white-space: pre }\n");
        if (shots.size() > 1) {
            out.write("@keyframes play {\n");
            for (int i = 0; i < shots.size(); i++) {
                out.write(String.format(
                        Locale.ROOT,
                        "%.4f%% { transform: translateX(%spx) }%n",
                        100.0 * (i == 0 ? 0 : shots.get(i).micros()) / total,
                        number(-i * width)));
            }
            out.write("}\n");
            out.write(String.format(Locale.ROOT, "#strip { animation: play %.2fs step-end infinite }%n", total / 1e6));
            // Who wants no motion sees how it ended.
            out.write("@media (prefers-reduced-motion: reduce) { #strip { animation: none; transform: translateX("
                    + number(-(shots.size() - 1) * width) + "px) } }\n");
        }
        out.write("</style>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"" + PAPER + "\"/>\n<defs>\n");
        for (var row : rows.entrySet()) {
            out.write("<g id=\"r" + row.getValue() + "\">" + row.getKey() + "</g>\n");
        }
        out.write("</defs>\n<svg x=\"%d\" y=\"%1$d\" width=\"%s\" height=\"%d\">\n<g id=\"strip\">\n"
                .formatted(MARGIN, number(width), height));
        for (int i = 0; i < shots.size(); i++) {
            out.write("<g transform=\"translate(" + number(i * width) + ")\">");
            var shot = shots.get(i).rows();
            for (int y = 0; y < shot.size(); y++) {
                if (shot.get(y) >= 0) {
                    out.write("<use href=\"#r" + shot.get(y) + "\" y=\"" + y * LINE + "\"/>");
                }
            }
            out.write("</g>\n");
        }
        out.write("</g>\n</svg>\n</svg>\n");
    }
}
