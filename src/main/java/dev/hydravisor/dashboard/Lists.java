package dev.hydravisor.dashboard;

import dev.hydravisor.dashboard.Known.Happened;
import dev.hydravisor.dashboard.Meters.Reading;
import dev.hydravisor.dashboard.Row.Cell;
import dev.hydravisor.dashboard.Row.Column;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.State;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.workspace.Workspace;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What is known, as rows of lists and as the facts of one row. */
final class Lists {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss");

    private static final int BARS = 8;

    private Lists() {}

    static List<Column> columns(View view) {
        return switch (view) {
            case INSTANCES ->
                List.of(
                        new Column("NAME", 0, 12),
                        new Column("KIND", 6, 4),
                        new Column("STATE", 0, 13),
                        new Column("IMAGE", 4, 10),
                        new Column("CPU", 3, 4),
                        new Column("", 4, BARS),
                        new Column("MEMORY", 2, 8),
                        new Column("", 7, BARS),
                        new Column("ADDRESS", 1, 15),
                        new Column("MODEL", 1, 10),
                        new Column("WORKSPACE", 5, 9),
                        new Column("AGE", 2, 3));
            case WORKSPACES ->
                List.of(
                        new Column("NAME", 0, 12),
                        new Column("STATE", 0, 8),
                        new Column("MODELS", 2, 10),
                        new Column("PANES", 1, 8),
                        new Column("SEEN BY", 3, 7),
                        new Column("RECORDING", 1, 12),
                        new Column("AGE", 2, 3));
            case MODELS ->
                List.of(
                        new Column("MODEL", 0, 16),
                        new Column("STATE", 0, 8),
                        new Column("SIZE", 1, 8),
                        new Column("PARAMETERS", 2, 10),
                        new Column("FAMILY", 3, 8),
                        new Column("CONTEXT", 2, 7),
                        new Column("WHERE", 1, 12));
            case IMAGES ->
                List.of(
                        new Column("NAME", 0, 16),
                        new Column("KIND", 1, 9),
                        new Column("FORMAT", 4, 6),
                        new Column("SIZE", 1, 9),
                        new Column("DISK", 1, 9),
                        new Column("USED BY", 2, 8),
                        new Column("AGE", 2, 3),
                        new Column("SOURCE", 3, 16));
            case RECORDINGS ->
                List.of(
                        new Column("INSTANCE", 0, 12),
                        new Column("STATE", 0, 9),
                        new Column("START", 1, 16),
                        new Column("LENGTH", 1, 6),
                        new Column("SIZE", 2, 8),
                        new Column("TITLE", 4, 10),
                        new Column("ID", 3, 12));
            case EVENTS -> List.of(new Column("TIME", 0, 8), new Column("SUBJECT", 0, 12), new Column("WHAT", 0, 20));
            case JOBS ->
                List.of(
                        new Column("JOB", 0, 16),
                        new Column("STATE", 0, 7),
                        new Column("STAGE", 1, 20),
                        new Column("AGE", 2, 3));
        };
    }

    static List<Row> rows(View view, Known known, Instant now) {
        return switch (view) {
            case INSTANCES -> {
                var open =
                        known.workspaces.stream().collect(Collectors.toMap(Workspace::instance, w -> w, (a, _) -> a));
                yield known.instances.stream()
                        .map(i -> instance(i, known.readings.get(i.id()), word(open.get(i.id())), now))
                        .toList();
            }
            case WORKSPACES ->
                known.workspaces.stream().map(w -> workspace(w, now)).toList();
            case MODELS -> models(known);
            case IMAGES -> known.images.stream().map(i -> image(i, now)).toList();
            case RECORDINGS -> known.recordings.stream().map(Lists::recording).toList();
            case EVENTS -> events(known.events);
            case JOBS -> known.jobs.stream().map(j -> job(j, now)).toList();
        };
    }

    private static String word(@Nullable Workspace workspace) {
        return workspace == null ? "" : Texts.word(workspace.state()) + (workspace.recording() == null ? "" : " ●");
    }

    private static Row instance(Instance i, @Nullable Reading reading, String workspace, Instant now) {
        var cpu = reading == null ? List.<Double>of() : reading.cpu();
        var memory = reading == null ? List.<Long>of() : reading.memory();
        return new Row(
                i.id().toString(),
                i.name(),
                List.of(
                        text(i.name()),
                        dim(Texts.word(i.kind())),
                        new Cell(mark(i.state()) + " " + Texts.word(i.state()), role(i.state())),
                        text(i.spec().image().substring(i.spec().image().lastIndexOf('/') + 1)),
                        text(cpu.isEmpty() ? "" : Meters.percent(cpu.getLast())),
                        new Cell(Meters.spark(cpu, processors(i), BARS), Role.GOOD),
                        text(memory.isEmpty() ? "" : PlainText.bytes(memory.getLast())),
                        new Cell(Meters.spark(memory, i.spec().memoryMib() << 20, BARS), Role.ACCENT),
                        text(Objects.requireNonNullElse(i.address(), "")),
                        new Cell(Objects.requireNonNullElse(i.model(), ""), Role.ACCENT),
                        text(workspace),
                        dim(Texts.age(i.created(), now))),
                i);
    }

    /** A sign beside the word, so that a state is seen without colours, too. */
    private static String mark(State state) {
        return switch (state) {
            case RUNNING -> "●";
            case CREATING -> "◌";
            case PAUSED -> "◐";
            case STOPPED -> "○";
            case FAILED, MISSING, UNAVAILABLE -> "✗";
        };
    }

    private static Role role(State state) {
        return switch (state) {
            case RUNNING -> Role.GOOD;
            case CREATING, PAUSED -> Role.BUSY;
            case STOPPED -> Role.DIM;
            case FAILED, MISSING, UNAVAILABLE -> Role.BAD;
        };
    }

    private static Row workspace(Workspace w, Instant now) {
        return new Row(
                w.instance().toString(),
                w.name(),
                List.of(
                        text(w.name()),
                        new Cell(Texts.word(w.state()), w.state() == Workspace.State.OPEN ? Role.GOOD : Role.BUSY),
                        new Cell(String.join(",", w.models()), Role.ACCENT),
                        text(panes(w)),
                        text(w.attached() == 0 ? "" : "" + w.attached()),
                        dim(Objects.requireNonNullElse(w.recording(), "")),
                        dim(Texts.age(w.created(), now))),
                w);
    }

    private static String panes(Workspace workspace) {
        return workspace.panes().stream()
                .map(p -> p.role() + (p.ended() == null ? "" : " (ended)"))
                .collect(Collectors.joining(", "));
    }

    private static List<Row> models(Known known) {
        var rows = new ArrayList<Row>();
        for (var m : known.models.models()) {
            rows.add(new Row(
                    m.model().toString(),
                    m.model().toString(),
                    List.of(
                            new Cell(m.model().toString(), Role.ACCENT),
                            m.loaded() ? new Cell("● loaded", Role.GOOD) : dim("○ on disk"),
                            text(m.size() == 0 ? "" : PlainText.bytes(m.size())),
                            text(m.parameters()),
                            text(m.family()),
                            text(m.context() == null ? "" : "" + m.context()),
                            new Cell(m.where(), m.remote() ? Role.BUSY : Role.DIM)),
                    m));
        }
        known.models
                .failures()
                .forEach((provider, failure) -> rows.add(new Row(
                        provider,
                        provider,
                        List.of(
                                text(provider),
                                new Cell("✗ absent", Role.BAD),
                                text(""),
                                text(""),
                                text(""),
                                text(""),
                                dim(failure.text())),
                        failure.text())));
        return rows;
    }

    private static Row image(AllImages.Entry i, Instant now) {
        return new Row(
                i.name(),
                i.name(),
                List.of(
                        text(i.name()),
                        dim(Texts.word(i.kind())),
                        dim(i.format()),
                        text(PlainText.bytes(i.size())),
                        text(i.virtualSize() == null ? "" : PlainText.bytes(i.virtualSize())),
                        text(String.join(", ", i.usedBy())),
                        dim(Texts.age(i.imported(), now)),
                        dim(i.source())),
                i);
    }

    private static Row recording(Recording r) {
        var role =
                switch (r.state()) {
                    case RECORDING -> Role.BAD;
                    case PAUSED, CUT_OFF -> Role.BUSY;
                    case ENDED -> Role.DIM;
                };
        return new Row(
                r.id(),
                r.id(),
                List.of(
                        text(r.instance()),
                        new Cell((r.state() == Recording.State.RECORDING ? "● " : "○ ") + Texts.word(r.state()), role),
                        text(local(r.start()).substring(0, 16)),
                        text(Texts.length(r.seconds())),
                        text(PlainText.bytes(r.bytes())),
                        dim(r.title()),
                        dim(r.id())),
                r);
    }

    private static List<Row> events(List<Happened> events) {
        var rows = new ArrayList<Row>();
        for (var e : events.reversed()) {
            rows.add(new Row(
                    e.at() + " " + e.subject() + " " + e.what(),
                    e.subject(),
                    List.of(dim(local(e.at()).substring(11)), text(e.subject()), new Cell(e.what(), e.role())),
                    e));
        }
        return rows;
    }

    private static Row job(Job j, Instant now) {
        var role =
                switch (j.state()) {
                    case RUNNING -> Role.BUSY;
                    case DONE -> Role.GOOD;
                    case FAILED -> Role.BAD;
                };
        var stages = j.stages();
        var last = stages.isEmpty()
                ? ""
                : stages.getLast().name() + " " + stages.getLast().amount();
        var error = j.error();
        return new Row(
                j.id(),
                j.title(),
                List.of(
                        text(j.title()),
                        new Cell(Texts.word(j.state()), role),
                        dim(error == null ? last : error),
                        dim(Texts.age(j.started(), now))),
                j);
    }

    /** What there is to say of a row, by name. */
    static Map<String, String> facts(Row row, Known known) {
        var facts = new LinkedHashMap<String, String>();
        switch (row.subject()) {
            case Instance i -> {
                facts.put("state", Texts.word(i.state()));
                facts.put("image", i.spec().image());
                facts.put("size", size(i));
                var used = known.readings.getOrDefault(i.id(), Reading.NONE);
                if (!used.cpu().isEmpty()) {
                    facts.put(
                            "cpu",
                            Meters.percent(used.cpu().getLast()) + " "
                                    + Meters.spark(used.cpu(), processors(i), Meters.KEPT));
                }
                if (!used.memory().isEmpty()) {
                    facts.put(
                            "memory",
                            PlainText.bytes(used.memory().getLast()) + " "
                                    + Meters.spark(used.memory(), i.spec().memoryMib() << 20, Meters.KEPT));
                }
                facts.put("address", Objects.requireNonNullElse(i.address(), ""));
                facts.put("model", Objects.requireNonNullElse(i.model(), ""));
                facts.put("created", local(i.created()));
                facts.put("id", i.id().toString());
                facts.put("reason", Objects.requireNonNullElse(i.reason(), ""));
            }
            case Workspace w -> {
                facts.put("state", Texts.word(w.state()));
                facts.put("models", String.join(", ", w.models()));
                facts.put("panes", panes(w));
                facts.put("recording", Objects.requireNonNullElse(w.recording(), "not recorded"));
                facts.put("opened", local(w.created()));
                facts.put("reason", Objects.requireNonNullElse(w.reason(), ""));
            }
            case ModelInfo m -> {
                facts.put("provider", m.model().provider());
                facts.put("id", m.model().id());
                facts.put("state", m.loaded() ? "loaded: the first token comes at once" : "on disk");
                facts.put("size", m.size() == 0 ? "" : PlainText.bytes(m.size()));
                facts.put("family", m.family());
                facts.put("parameters", m.parameters());
                facts.put("context", m.context() == null ? "" : m.context() + " tokens");
                facts.put("where", m.where() + (m.remote() ? ": what you say leaves this machine" : ""));
            }
            case AllImages.Entry i -> {
                facts.put("kind", Texts.word(i.kind()));
                facts.put("format", i.format());
                facts.put("used by", String.join(", ", i.usedBy()));
                facts.put("file", PlainText.bytes(i.size()));
                facts.put("disk", i.virtualSize() == null ? "" : PlainText.bytes(i.virtualSize()));
                facts.put("imported", local(i.imported()));
                facts.put("sha256", i.sha256());
                facts.put("source", i.source());
            }
            case Recording r -> {
                facts.put("instance", r.kind() + " " + r.instance());
                facts.put("state", Texts.word(r.state()));
                facts.put("start", local(r.start()));
                facts.put("length", Texts.length(r.seconds()));
                facts.put("size", PlainText.bytes(r.bytes()));
                facts.put("terminal", r.cols() + "x" + r.rows());
                facts.put("user", r.user() + "@" + r.host());
                facts.put("ended", Objects.requireNonNullElse(r.endReason(), ""));
                facts.put("folder", r.folder());
            }
            case Happened h -> {
                facts.put("time", local(h.at()));
                facts.put("subject", h.subject());
                facts.put("what", h.what());
            }
            case Job j -> {
                facts.put("state", Texts.word(j.state()));
                facts.put("started", local(j.started()));
                facts.put("error", Objects.requireNonNullElse(j.error(), ""));
            }
            default -> facts.put("reason", row.subject().toString());
        }
        facts.values().removeIf(String::isEmpty);
        return facts;
    }

    /** How many processors it may use; all of the host's where it was given no number. */
    private static double processors(Instance i) {
        var given = i.spec().processors();
        return given.isEmpty() ? Runtime.getRuntime().availableProcessors() : Double.parseDouble(given);
    }

    private static String memory(Instance i) {
        return i.spec().memoryMib() == 0 ? "" : PlainText.bytes(i.spec().memoryMib() << 20);
    }

    private static String size(Instance i) {
        var processors = i.spec().processors();
        return (processors.isEmpty() ? "all processors" : processors + " cpu") + ", "
                + (memory(i).isEmpty() ? "all memory" : memory(i));
    }

    static String local(Instant instant) {
        return TIME.format(instant.truncatedTo(ChronoUnit.SECONDS).atZone(ZoneId.systemDefault()));
    }

    private static Cell text(String text) {
        return new Cell(text, Role.TEXT);
    }

    private static Cell dim(String text) {
        return new Cell(text, Role.DIM);
    }
}
