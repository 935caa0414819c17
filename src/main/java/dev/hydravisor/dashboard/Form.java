package dev.hydravisor.dashboard;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Fields to fill in: each is checked and completed as it is typed; then the plan is shown, and Enter does it. */
final class Form implements Page {
    private static final int LABEL = 12;
    private static final int OFFERED = 6;

    /**
     * A field.
     *
     * @param offers what it can be completed to
     * @param check what is wrong with a value; null for nothing
     */
    record Field(
            String name,
            String help,
            Line line,
            Supplier<List<String>> offers,
            Function<String, @Nullable String> check) {}

    private final String title;
    private final List<Field> fields;
    private final Consumer<Form> plan;
    private final Consumer<Map<String, String>> submit;
    private int at;
    private boolean touched;
    private List<String> planned = List.of();
    private @Nullable String refused;

    Form(String title, List<Field> fields, Consumer<Form> plan, Consumer<Map<String, String>> submit) {
        this.title = title;
        this.fields = List.copyOf(fields);
        this.plan = plan;
        this.submit = submit;
    }

    Map<String, String> values() {
        var values = new LinkedHashMap<String, String>();
        fields.forEach(f -> values.put(f.name(), f.line().text().strip()));
        return values;
    }

    /** Shows what would be done, or why it cannot be. */
    void planned(List<String> lines, @Nullable String error) {
        planned = lines;
        refused = error;
    }

    @Override
    public String title() {
        return title;
    }

    @Override
    public String hints() {
        return planned.isEmpty()
                ? "↑ ↓ field   Tab complete   Enter next, then the plan   Esc back"
                : "Enter do it   ↑ ↓ change something   Esc back";
    }

    @Override
    public void draw(Frame frame, int top, int height) {
        var width = frame.columns() - LABEL - 5;
        int y = top;
        for (int i = 0; i < fields.size(); i++) {
            var field = fields.get(i);
            var active = i == at && planned.isEmpty();
            var error = error(field);
            var wrong = error != null && (touched || !field.line().text().isEmpty());
            var remark = wrong && error != null ? error : active ? field.help() : "";
            frame.put(2, y, 1, active ? "›" : " ", Role.ACCENT);
            frame.put(4, y, LABEL, field.name(), active ? Role.TITLE : Role.LABEL);
            var value = Math.max(16, Math.min(44, width - 33));
            field.line().draw(frame, 4 + LABEL, y, value, active);
            frame.put(5 + LABEL + value, y, width - value, remark, wrong ? Role.BAD : Role.DIM);
            y++;
        }
        y++;
        if (refused != null) {
            for (var line : Texts.wrap(refused, frame.columns() - 6)) {
                frame.put(4, y++, frame.columns() - 6, line, Role.BAD);
            }
        } else if (!planned.isEmpty()) {
            frame.put(4, y++, "this will be done", Role.LABEL);
            for (var line : planned) {
                frame.put(4, y, 1, "·", Role.DIM);
                frame.put(6, y++, frame.columns() - 8, line, Role.TEXT);
            }
        } else {
            var offers = offered();
            for (int i = 0; i < offers.size() && i < OFFERED && y < top + height; i++) {
                frame.put(4 + LABEL, y++, width, offers.get(i), i == 0 ? Role.ACCENT : Role.DIM);
            }
            if (offers.size() > OFFERED && y < top + height) {
                frame.put(4 + LABEL, y, width, "and " + (offers.size() - OFFERED) + " more", Role.DIM);
            }
        }
    }

    private List<String> offered() {
        var field = fields.get(at);
        var typed = field.line().text();
        return field.offers().get().stream()
                .filter(o -> !o.equals(typed))
                .filter(o -> o.startsWith(typed) || (o.contains(typed) && !typed.isEmpty()))
                .sorted(java.util.Comparator.comparing(o -> !o.startsWith(typed)))
                .toList();
    }

    private static @Nullable String error(Field field) {
        return field.check().apply(field.line().text().strip());
    }

    @Override
    public boolean key(String key) {
        switch (key) {
            case Keys.ESCAPE -> {
                if (planned.isEmpty()) {
                    return false;
                }
                planned = List.of();
            }
            case "up", "shift-tab" -> to(at - 1);
            case "down" -> to(at + 1);
            case "tab" -> {
                var offers = offered();
                if (offers.isEmpty() || fields.get(at).line().text().isEmpty() && error(fields.get(at)) == null) {
                    to(at + 1);
                } else {
                    fields.get(at).line().set(offers.getFirst());
                }
            }
            case Keys.ENTER -> {
                return enter();
            }
            default -> {
                if (planned.isEmpty() && fields.get(at).line().key(key)) {
                    refused = null;
                }
            }
        }
        return true;
    }

    private void to(int field) {
        planned = List.of();
        refused = null;
        at = Math.clamp(field, 0, fields.size() - 1);
    }

    /** On to the next field; behind the last one to the plan; behind that it is done. */
    private boolean enter() {
        if (!planned.isEmpty()) {
            submit.accept(values());
            return true;
        }
        if (at < fields.size() - 1) {
            at++;
            return true;
        }
        touched = true;
        var wrong = new ArrayList<Integer>();
        for (int i = 0; i < fields.size(); i++) {
            if (error(fields.get(i)) != null) {
                wrong.add(i);
            }
        }
        if (wrong.isEmpty()) {
            plan.accept(this);
        } else {
            at = wrong.getFirst();
        }
        return true;
    }
}
