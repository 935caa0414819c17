package dev.hydravisor.console;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.PrintWriter;
import java.util.List;
import java.util.function.Predicate;
import org.jline.utils.WCWidth;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.cfg.MapperBuilder;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLWriteFeature;

/** Writes records as {@code -o} asks: a table for people; JSON, YAML or bare names for programs. Field names are snake_case. */
final class Output {
    static final ObjectMapper JSON = configure(JsonMapper.builder()).build();
    private static final ObjectMapper YAML = configure(
                    YAMLMapper.builder().disable(YAMLWriteFeature.WRITE_DOC_START_MARKER))
            .build();

    private final Invocation in;

    Output(Invocation in) {
        this.in = in;
    }

    <T> void list(List<T> rows, Table<T> table) {
        var shown = rows.stream().filter(filter()).toList();
        switch (format()) {
            case "json" -> in.out().println(JSON.writeValueAsString(shown));
            case "yaml" -> in.out().print(YAML.writeValueAsString(shown));
            case "name" ->
                shown.forEach(r -> in.out().println(PlainText.safe(table.name().apply(r))));
            default -> table(shown, table);
        }
    }

    <T> void one(T row, Table<T> table) {
        switch (format()) {
            case "json" -> in.out().println(JSON.writeValueAsString(row));
            case "yaml" -> in.out().print(YAML.writeValueAsString(row));
            case "name" -> in.out().println(PlainText.safe(table.name().apply(row)));
            default -> {
                var width = table.columns().stream()
                        .mapToInt(c -> c.title().length())
                        .max()
                        .orElse(0);
                table.columns()
                        .forEach(c -> in.out()
                                .println(pad(c.title().toLowerCase(java.util.Locale.ROOT) + ":", width + 2)
                                        + cell(c, row)));
            }
        }
    }

    private String format() {
        var format = in.requiredOption("output");
        if (!List.of("table", "json", "yaml", "name").contains(format)) {
            throw HydraException.usage(
                    "`" + PlainText.shorten(format) + "` is no output format; use table, json, yaml or name");
        }
        return format;
    }

    private <T> Predicate<T> filter() {
        if (in.command().options().stream().noneMatch(o -> o.name().equals("filter"))) {
            return _ -> true;
        }
        Predicate<T> all = _ -> true;
        for (var term : in.all("filter")) {
            var split =
                    term.chars().filter(c -> c == '=' || c == '~').findFirst().orElse(-1);
            if (split < 0) {
                throw HydraException.usage("`" + PlainText.shorten(term)
                        + "` is no filter; write FIELD=VALUE or FIELD~PART, such as state=running");
            }
            var at = term.indexOf(split);
            var field = term.substring(0, at);
            var wanted = term.substring(at + 1);
            all = all.and(row -> {
                JsonNode node = JSON.valueToTree(row);
                var value = node.path(field);
                if (value.isMissingNode()) {
                    throw HydraException.usage("there is no field `" + PlainText.shorten(field) + "`; there are "
                            + String.join(", ", node.propertyNames()));
                }
                var text = value.isNull() ? "" : value.isValueNode() ? value.asString() : value.toString();
                return split == '=' ? text.equalsIgnoreCase(wanted) : text.contains(wanted);
            });
        }
        return all;
    }

    private <T> void table(List<T> rows, Table<T> table) {
        var columns = table.columns();
        var widths = new int[columns.size()];
        var cells = rows.stream()
                .map(r -> columns.stream().map(c -> cell(c, r)).toArray(String[]::new))
                .toList();
        for (int i = 0; i < widths.length; i++) {
            var at = i;
            widths[i] = Math.max(
                    width(columns.get(i).title()),
                    cells.stream().mapToInt(c -> width(c[at])).max().orElse(0));
        }
        line(in.out(), columns.stream().map(Table.Column::title).toArray(String[]::new), widths);
        cells.forEach(c -> line(in.out(), c, widths));
    }

    private static void line(PrintWriter out, String[] cells, int[] widths) {
        var line = new StringBuilder();
        for (int i = 0; i < cells.length; i++) {
            line.append(i == cells.length - 1 ? cells[i] : pad(cells[i], widths[i] + 2));
        }
        out.println(line);
    }

    private static <T> String cell(Table.Column<T> column, T row) {
        var text = PlainText.safe(column.cell().apply(row));
        return text.isEmpty() ? "-" : text;
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - width(text)));
    }

    /** Columns a text takes on a terminal. */
    static int width(String text) {
        return text.codePoints().map(c -> Math.max(0, WCWidth.wcwidth(c))).sum();
    }

    private static <B extends MapperBuilder<?, B>> B configure(B builder) {
        return builder.propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .enable(SerializationFeature.INDENT_OUTPUT)
                .enable(tools.jackson.databind.cfg.EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
                .changeDefaultPropertyInclusion(i -> i.withValueInclusion(JsonInclude.Include.ALWAYS));
    }
}
