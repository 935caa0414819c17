package dev.hydravisor.dashboard;

import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.State;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.workspace.Workspace;
import java.time.Clock;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Where the user is, and what each key does there. Belongs to the screen's thread; nothing here waits for anything. */
final class Ui {
    /**
     * A line being typed at the foot of the screen.
     *
     * @param changed hears each change
     * @param entered hears the whole
     */
    record Prompt(String label, Line line, Consumer<String> changed, Consumer<String> entered) {}

    /** What the foot says for once. */
    record Message(String text, Role role) {}

    private final Known known;
    private final Keys keys;
    private final Deeds deeds;
    private final Forms forms;
    private final Clock clock;
    private final Map<View, Rows> rows = new EnumMap<>(View.class);
    private View view = View.INSTANCES;
    private boolean inDetails;
    private int detailsTop;
    private int page = 10;
    private @Nullable Prompt prompt;
    private @Nullable Page over;
    private @Nullable Message message;
    private String detailed = "";
    private boolean left;

    Ui(Known known, Keys keys, Deeds deeds, Forms forms, Clock clock) {
        this.known = known;
        this.keys = keys;
        this.deeds = deeds;
        this.forms = forms;
        this.clock = clock;
        for (var each : View.values()) {
            rows.put(each, rowsOf(each));
        }
    }

    Known known() {
        return known;
    }

    Keys keys() {
        return keys;
    }

    Clock clock() {
        return clock;
    }

    View view() {
        return view;
    }

    Rows rows() {
        return rows(view);
    }

    private Rows rows(View of) {
        return rows.computeIfAbsent(of, Ui::rowsOf);
    }

    private static Rows rowsOf(View view) {
        return new Rows(view == View.EVENTS || view == View.JOBS);
    }

    boolean inDetails() {
        return inDetails;
    }

    int detailsTop() {
        return detailsTop;
    }

    /** How many rows a page is: the painter knows. */
    void page(int size) {
        page = Math.max(1, size);
    }

    @Nullable
    Prompt prompt() {
        return prompt;
    }

    @Nullable
    Page over() {
        return over;
    }

    @Nullable
    Message message() {
        return message;
    }

    boolean left() {
        return left;
    }

    void leave() {
        left = true;
    }

    void say(String text, Role role) {
        message = new Message(text, role);
    }

    void show(Page page) {
        over = page;
    }

    void uncover() {
        over = null;
    }

    /** Says that what is known of these views is news. */
    void changed(View... views) {
        for (var each : views) {
            rows(each).set(Lists.rows(each, known, clock.instant()));
        }
        selectionMoved();
    }

    /** The clock went on. */
    void tick() {
        changed(View.values());
    }

    void go(View to) {
        view = to;
        inDetails = false;
        deeds.read(to);
        selectionMoved();
    }

    /** A key, by its name. */
    void key(String key) {
        message = null;
        if (keys.action(key, view) == Action.QUIT) {
            left = true;
        } else if (prompt != null) {
            typed(prompt, key);
        } else if (over != null) {
            var page = over;
            if (!page.key(key) && over == page) {
                over = null;
            }
        } else {
            var action = keys.action(key, view);
            if (action != null) {
                act(action);
            }
        }
        selectionMoved();
    }

    private void typed(Prompt typing, String key) {
        switch (key) {
            case Keys.ESCAPE -> {
                prompt = null;
                typing.changed().accept("");
            }
            case Keys.ENTER -> {
                prompt = null;
                typing.entered().accept(typing.line().text());
            }
            case "up" -> rows().move(-1);
            case "down" -> rows().move(1);
            default -> {
                typing.line().key(key);
                typing.changed().accept(typing.line().text());
            }
        }
    }

    private void act(Action action) {
        switch (action) {
            case UP -> move(-1);
            case DOWN -> move(1);
            case PAGE_UP -> move(-page);
            case PAGE_DOWN -> move(page);
            case FIRST -> move(-1_000_000);
            case LAST -> move(1_000_000);
            case NEXT_PANE, PREVIOUS_PANE -> inDetails = !inDetails && rows().selected() != null;
            case GO_INSTANCES -> go(View.INSTANCES);
            case GO_WORKSPACES -> go(View.WORKSPACES);
            case GO_MODELS -> go(View.MODELS);
            case GO_IMAGES -> go(View.IMAGES);
            case GO_RECORDINGS -> go(View.RECORDINGS);
            case GO_EVENTS -> go(View.EVENTS);
            case GO_JOBS -> go(View.JOBS);
            case COMMAND -> prompt = new Prompt(":", new Line(""), _ -> {}, this::command);
            case FILTER -> prompt = new Prompt("/", new Line(rows().filter()), rows()::filter, _ -> {});
            case HELP -> over = new Help(view, keys);
            case CLEAR -> back();
            case BACK -> left = !back();
            case QUIT -> left = true;
            case REDRAW -> deeds.redraw();
            case CREATE -> over = forms.createVm(this, deeds);
            case CREATE_CONTAINER -> over = forms.createContainer(this, deeds);
            default -> onSelected(action);
        }
    }

    private void move(int by) {
        if (inDetails) {
            detailsTop = Math.max(0, detailsTop + by);
        } else {
            rows().move(by);
        }
    }

    /** One step back; false when there is none. */
    private boolean back() {
        if (inDetails) {
            inDetails = false;
        } else if (!rows().filter().isEmpty()) {
            rows().filter("");
        } else if (view != View.INSTANCES) {
            go(View.INSTANCES);
        } else {
            return false;
        }
        return true;
    }

    private void command(String typed) {
        var word = typed.strip().toLowerCase(java.util.Locale.ROOT);
        if (word.equals("q") || word.equals("quit")) {
            left = true;
            return;
        }
        Arrays.stream(View.values())
                .filter(v -> !word.isEmpty() && v.word().startsWith(word))
                .findFirst()
                .ifPresentOrElse(
                        this::go,
                        () -> say(
                                "there is no view `" + word + "`; there is "
                                        + String.join(
                                                ", ",
                                                Arrays.stream(View.values())
                                                        .map(View::word)
                                                        .toList()),
                                Role.BAD));
    }

    private void onSelected(Action action) {
        var row = rows().selected();
        if (row == null) {
            say("nothing is selected", Role.DIM);
            return;
        }
        var name = row.name();
        switch (action) {
            case OPEN -> deeds.open(name);
            case SHELL -> deeds.shell(name);
            case CONSOLE -> deeds.console(name);
            case REPLAY -> deeds.replay(row.subject() instanceof Recording r ? r.id() : name);
            case START_STOP -> startOrStop(row);
            case PAUSE -> {
                if (row.subject() instanceof Instance i && i.state() == State.PAUSED) {
                    deeds.resume(name);
                } else {
                    deeds.pause(name);
                }
            }
            case RECORD -> record(name);
            case CLOSE -> deeds.close(name);
            case DELETE ->
                prompt = new Prompt("delete `" + name + "` for good? type its name: ", new Line(""), _ -> {}, typed -> {
                    if (typed.strip().equals(name)) {
                        deeds.delete(view, name);
                    } else {
                        say("`" + name + "` is kept: the name typed was another", Role.DIM);
                    }
                });
            case ATTACH -> attach(name);
            case DETACH -> detach(row);
            case CANCEL ->
                known.jobs.stream().filter(j -> j.id().equals(row.id())).forEach(Job::cancel);
            case COPY -> {
                deeds.copy(name);
                say("copied `" + name + "`", Role.DIM);
            }
            default -> throw new IllegalStateException("nobody does " + action);
        }
    }

    private void record(String name) {
        known.workspaces.stream()
                .filter(w -> w.name().equals(name))
                .findFirst()
                .ifPresentOrElse(
                        w -> deeds.record(name, w.recording() == null),
                        () -> say("`" + name + "` has no open workspace to record", Role.DIM));
    }

    private void startOrStop(Row row) {
        if (row.subject() instanceof Instance i) {
            if (i.state() == State.RUNNING || i.state() == State.PAUSED) {
                deeds.stop(i.name());
            } else {
                deeds.start(i.name());
            }
        }
    }

    private void attach(String instance) {
        over = new Menu(
                "attach a model to " + instance,
                known.models.models().stream().map(m -> m.model().toString()).toList(),
                known.models.failures().isEmpty()
                        ? "no provider has a model; `hydra model pull` gets one"
                        : known.models.failures().values().iterator().next().text(),
                model -> deeds.attach(instance, model));
        deeds.read(View.MODELS);
    }

    private void detach(Row row) {
        var models =
                switch (row.subject()) {
                    case Workspace w -> w.models();
                    case Instance i when i.model() != null -> List.of(i.model().split(",", -1));
                    default -> List.<String>of();
                };
        if (models.size() == 1) {
            deeds.detach(row.name(), models.getFirst());
        } else if (models.isEmpty()) {
            say("no model is attached to `" + row.name() + "`", Role.DIM);
        } else {
            over = new Menu("detach a model from " + row.name(), models, "", model -> deeds.detach(row.name(), model));
        }
    }

    /** A click or a turn of the wheel. */
    void mouse(int rowClicked, int wheel) {
        if (over == null && prompt == null) {
            if (wheel != 0) {
                move(wheel * 3);
            } else if (rowClicked >= 0 && rowClicked < rows().size()) {
                inDetails = false;
                rows().select(rowClicked);
            }
            selectionMoved();
        }
    }

    /** What is shown of the selection alone is asked for when it is another one. */
    private void selectionMoved() {
        var row = rows().selected();
        var name = row != null && (row.subject() instanceof Instance || row.subject() instanceof Workspace)
                ? row.name()
                : "";
        if (!name.equals(detailed)) {
            detailed = name;
            detailsTop = 0;
            deeds.details(name);
        }
    }
}
