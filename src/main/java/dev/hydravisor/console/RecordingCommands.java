package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.CommandRun;
import dev.hydravisor.recording.Format;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.recording.Replay;
import dev.hydravisor.recording.Search;
import dev.hydravisor.recording.Verified;
import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jline.terminal.Attributes;
import org.jline.utils.NonBlockingReader;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** {@code recording …}. */
@Component
class RecordingCommands implements Commands {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,6})?)(ms|s|m|h)");

    private static final Table<Recording> LIST = Table.named("ID", Recording::id)
            .column("INSTANCE", Recording::instance)
            .column("STATE", r -> word(r.state()))
            .column("LENGTH", r -> length(r.seconds()))
            .column("SIZE", r -> PlainText.bytes(r.bytes()))
            .column("USER", Recording::user)
            .column("TITLE", Recording::title);

    private static final Table<Shown> SHOWN = Table.<Shown>named(
                    "ID", s -> s.recording().id())
            .column("INSTANCE", s -> s.recording().instance())
            .column("KIND", s -> s.recording().kind())
            .column("IMAGE", s -> s.recording().image())
            .column("DIGEST", s -> s.recording().imageDigest())
            .column("TITLE", s -> s.recording().title())
            .column("USER", s -> s.recording().user())
            .column("HOST", s -> s.recording().host())
            .column("STATE", s -> word(s.recording().state()))
            .column("START", s -> s.recording().start().toString())
            .column("END", s -> Objects.toString(s.recording().end(), ""))
            .column("REASON", s -> Objects.toString(s.recording().endReason(), ""))
            .column("LENGTH", s -> length(s.recording().seconds()))
            .column("TERMINAL", s -> s.recording().cols() + "x" + s.recording().rows())
            .column("SIZE", s -> PlainText.bytes(s.recording().bytes()))
            .column(
                    "REDACTED",
                    s -> s.redacted().entrySet().stream()
                            .map(e -> e.getValue() + " " + e.getKey())
                            .collect(Collectors.joining(", ")))
            .column(
                    "MODELS",
                    s -> s.models().entrySet().stream()
                            .map(e -> PlainText.safe(e.getKey() + " " + e.getValue()))
                            .collect(Collectors.joining(", ")))
            .column("COMMANDS", s -> summary(s.commands()))
            .column("LOG", Shown::log)
            .column("COMPLAINTS", s -> String.join("; ", s.complaints()));

    private static final Table<Search.Hit> HITS = Table.named("ID", Search.Hit::id)
            .column("INSTANCE", Search.Hit::instance)
            .column("TIME", h -> String.format(Locale.ROOT, "%.1fs", h.seconds()))
            .column("IN", h -> h.place().name().toLowerCase(Locale.ROOT))
            .column("TEXT", h -> PlainText.safe(h.text()));

    private static final Table<Verified> VERIFIED = Table.named("ID", Verified::id)
            .column("STATE", v -> v.ok() ? "unchanged" : "CHANGED")
            .column("SEALED", v -> PlainText.bytes(v.sealed()))
            .column("UNSEALED", v -> v.unsealed() == 0 ? "" : PlainText.bytes(v.unsealed()))
            .column("SIGNED", Verified::signed)
            .column("PROBLEMS", v -> String.join("; ", v.problems()));

    /**
     * What {@code recording show} tells.
     *
     * @param log the plain text, brought up to date
     * @param complaints of the recorder; empty when all went well
     * @param redacted how many secrets were taken out, by rule
     * @param models what exactly each was that took part: its digest or its ARN, as far as its provider said
     * @param commands that were run in the shell, as far as its screen shows them
     */
    record Shown(
            Recording recording,
            String log,
            List<String> complaints,
            Map<String, Integer> redacted,
            Map<String, String> models,
            List<CommandRun> commands) {}

    private static final Table<CommandRun> RUNS = Table.<CommandRun>named(
                    "COMMAND", r -> PlainText.shorten(r.command()))
            .column("TIME", r -> String.format(Locale.ROOT, "%.1fs", r.time()))
            .column("BY", CommandRun::by)
            .column("STATUS", r -> status(r.status()));

    private static final Table<CommandRun.Difference> DIFFERENCES = Table.<CommandRun.Difference>named(
                    "IN", CommandRun.Difference::in)
            .column("COMMAND", d -> PlainText.shorten(d.command()))
            .column("FIRST", d -> status(d.first()))
            .column("SECOND", d -> status(d.second()));

    private final RecordingService recordings;
    private final Names names;

    RecordingCommands(RecordingService recordings, Names names) {
        this.recordings = recordings;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("recording list", "list the recordings, the newest first")
                        .output()
                        .filter()
                        .example("hydra recording list --filter instance=web")
                        .runs(in -> in.print(recordings.list(), LIST)),
                HydraCommand.named("recording show", "show what is known of a recording")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .output()
                        .example("hydra recording show web")
                        .runs(this::show),
                HydraCommand.named("recording commands", "list the commands that were run in a recorded shell")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .filter()
                        .output()
                        .details(
                                "As far as the screen shows them: what stands after a prompt that ends in $ or #. The exit status is"
                                        + " known of what a model ran, and where the shell marks it (OSC 133).")
                        .example("hydra recording commands web --filter by=user")
                        .runs(in -> in.print(
                                recordings.commands(recordings
                                        .find(in.argument("RECORDING"))
                                        .id()),
                                RUNS)),
                HydraCommand.named("recording diff", "compare the commands of two recordings")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .argument("OTHER", ARGUMENT, names.recordings())
                        .filter()
                        .output()
                        .details(
                                "A line for each command: - where the first alone has it, + where the second alone has.")
                        .example("hydra recording diff web db")
                        .runs(this::diff),
                HydraCommand.named("recording replay", "play a recording in this terminal")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .option("speed", "FACTOR", "times as fast as it was", Values.of("0.5", "2", "4", "8"), "1")
                        .option(
                                "idle-limit",
                                "TIME",
                                "the longest pause to keep, such as 500ms or 1s",
                                Values.of("500ms", "1s", "2s"))
                        .option("from", "TIME", "where to begin, such as 90s or 5m", Values.of("30s", "5m"))
                        .flag("dialog", "show the dialog and the markers below, at their times")
                        .details(
                                "Keys: Space pauses, Left and Right (h and l) go 5 s back and on, + and - change the speed, [ and ] go to the "
                                        + "marker before and the next, 0 goes to the start, q leaves. Ctrl-C ends it and leaves the terminal as it was. Requests that a recorded program made to its "
                                        + "terminal (for its title, its clipboard, the mouse) are not repeated.")
                        .example("hydra recording replay web --speed 2 --idle-limit 1s")
                        .runs(this::replay),
                HydraCommand.named("recording export", "write a recording to a file")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .argument("FILE", "where to; `-` is standard output", Values.files())
                        .option(
                                "format",
                                "FORMAT",
                                "cast (asciicast v2), cast-v3, txt, ansi, raw, jsonl (the dialog), html (one page that plays it), svg (one animated picture) or tar",
                                Values.of(Arrays.stream(Format.values())
                                        .map(Format::word)
                                        .toArray(String[]::new)),
                                "cast")
                        .flag("force", "replace the file when it exists")
                        .example("hydra recording export web web.cast")
                        .runs(this::export),
                HydraCommand.named("recording search", "find text in the recordings")
                        .argument("REGEX", "a regular expression, for one line", Values.any())
                        .option("in", "WHERE", "terminal, dialog or input", Values.of("terminal", "dialog", "input"))
                        .option("instance", "NAME", "of this instance alone", names.instances())
                        .option(
                                "since",
                                "TIME",
                                "recorded in the last so long, such as 12h",
                                Values.of("1h", "24h", "168h"))
                        .output()
                        .option("open", "N", "play the Nth result, from 2 s before it", Values.of("1"))
                        .details("Looks at the text as it stood on the screen, the newest recording first.")
                        .example("hydra recording search 'permission denied' --since 24h")
                        .runs(this::search),
                HydraCommand.named("recording mark", "put a marker into a recording")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .argument("TEXT", "what it says", Values.any())
                        .example("hydra recording mark web 'it fails from here on'")
                        .runs(this::mark),
                HydraCommand.named("recording import", "take in an asciicast as a recording")
                        .argument("FILE", "version 2 or 3", Values.files())
                        .example("hydra recording import demo.cast")
                        .judged(in -> List.of(RecordingService.action(
                                "import", in.session().path(in.argument("FILE")).toString())))
                        .runs(in -> in.out()
                                .println(recordings
                                        .importCast(in.session().path(in.argument("FILE")), WorkspaceCommands.user())
                                        .id())),
                HydraCommand.named("recording redact", "take secrets out of an old recording, by the rules of now")
                        .argument("RECORDING", "the recording's id", names.recordings())
                        .dryRun()
                        .details("What is taken out is gone. The new manifest names the old one.")
                        .example("hydra recording redact session-20260131T101500Z")
                        .judged(in -> List.of(RecordingService.action(
                                "redact",
                                recordings.find(in.argument("RECORDING")).id())))
                        .runs(this::redact),
                HydraCommand.named("recording prune", "remove old recordings")
                        .option("older", "TIME", "those that ended longer ago, such as 720h", Values.of("168h", "720h"))
                        .option("keep", "COUNT", "all but the newest so many", Values.of("10", "100"))
                        .option("max-size", "MB", "the oldest, until so many megabytes are left", Values.of("1000"))
                        .dryRun()
                        .example("hydra recording prune --older 720h --keep 100")
                        .judged(in -> prunable(in).stream()
                                .map(r -> RecordingService.action("delete", r.id()))
                                .toList())
                        .runs(this::prune),
                HydraCommand.named("recording compress", "make old recordings smaller; nothing of them is lost")
                        .optionalArgument("RECORDING", "the recording's id", names.recordings())
                        .option("older", "TIME", "those that ended longer ago, such as 720h", Values.of("168h", "720h"))
                        .dryRun()
                        .details(
                                "They are found, played, exported and verified as before. `recording.compress-after` in config.yaml does it"
                                        + " by itself.")
                        .example("hydra recording compress --older 720h")
                        .judged(in -> compressible(in).stream()
                                .map(r -> RecordingService.action("compress", r.id()))
                                .toList())
                        .runs(this::compress),
                HydraCommand.named("recording verify", "check that nothing in a recording was changed")
                        .optionalArgument("RECORDING", ARGUMENT, names.recordings())
                        .flag("all", "check every recording, and that none is gone")
                        .output()
                        .details(
                                "Finds any byte that was changed, removed, moved or cut off, by the recording's own manifest and the"
                                        + " ledger of all recordings. Who rewrites all of these is found out by the signature, which only the"
                                        + " key in $HYDRA_HOME/keys makes: it proves nothing against who has that key. A signature"
                                        + " that was removed is missed; one that is not signed has not ended. The exit status is 1 when something is wrong.")
                        .example("hydra recording verify --all")
                        .runs(this::verify),
                HydraCommand.named("recording delete", "remove a recording for good")
                        .argument("RECORDING", "the recording's id", names.recordings())
                        .dryRun()
                        .example("hydra recording delete session-20260131T101500Z")
                        .judged(in -> List.of(RecordingService.action(
                                "delete",
                                recordings.find(in.argument("RECORDING")).id())))
                        .runs(this::delete));
    }

    private static final String ARGUMENT = "its id, the beginning of one, or an instance, whose newest is taken";

    private void show(Invocation in) {
        var recording = recordings.find(in.argument("RECORDING"));
        in.print(
                new Shown(
                        recording,
                        recordings.terminalLog(recording.id()).toString(),
                        recordings.complaints(recording.id()),
                        recordings.redactions(recording.id()),
                        recordings.models(recording.id()),
                        recordings.commands(recording.id())),
                SHOWN);
    }

    /** Who ran how many, and how many failed. */
    private static String summary(List<CommandRun> commands) {
        var by = commands.stream().collect(Collectors.groupingBy(CommandRun::by, TreeMap::new, Collectors.counting()));
        var failed = commands.stream()
                .filter(c -> c.status() != null && c.status() != 0)
                .count();
        return by.entrySet().stream()
                        .map(e -> e.getValue() + " by " + PlainText.safe(e.getKey()))
                        .collect(Collectors.joining(", "))
                + (failed == 0 ? "" : "; " + failed + " failed");
    }

    private static String status(@Nullable Integer status) {
        return status == null ? "" : status.toString();
    }

    private void diff(Invocation in) {
        in.print(
                recordings.diff(
                        recordings.find(in.argument("RECORDING")).id(),
                        recordings.find(in.argument("OTHER")).id()),
                DIFFERENCES);
    }

    private void replay(Invocation in) throws IOException {
        var recording = recordings.find(in.argument("RECORDING"));
        var from = duration("from", in.option("from"));
        var start = from == null ? Duration.ZERO : from;
        replay(
                in,
                recording,
                new Replay.Options(
                        speed(in.requiredOption("speed")),
                        duration("idle-limit", in.option("idle-limit")),
                        start,
                        null),
                in.flag("dialog"));
    }

    private void replay(Invocation in, Recording recording, Replay.Options how, boolean dialog) throws IOException {
        if (!in.session().outIsTerminal() || !in.session().inIsTerminal()) {
            recordings.replay(recording.id(), how, in.out());
            in.out().println();
            return;
        }
        var terminal = in.session().terminal();
        onTerminal(in, recording, (out, keys) -> {
            var options = how;
            if (dialog) {
                var below = recording.rows() + 1;
                var room = terminal.getHeight() - recording.rows();
                var shown = new java.util.ArrayDeque<String>();
                options = new Replay.Options(how.speed(), how.idleLimit(), how.from(), text -> {
                    shown.add(PlainText.shorten(text));
                    while (shown.size() > Math.max(1, room)) {
                        shown.remove();
                    }
                    var row = room > 0 ? below : terminal.getHeight();
                    var lines = new StringBuilder("\0337\033[0m");
                    for (var line : shown) {
                        lines.append("\033[").append(row++).append(";1H\033[K").append(line);
                    }
                    terminal.writer().print(lines.append("\0338"));
                });
            }
            recordings.replay(recording.id(), options, out, keys);
        });
    }

    /** Shows what a terminal prints. */
    interface Shower {
        void show(Writer out, Replay.Keys keys) throws IOException;
    }

    /** Hands over the user's terminal, whose keys are read one by one, and takes it back as it was. */
    static void onTerminal(Invocation in, Recording recording, Shower shower) throws IOException {
        var terminal = in.session().terminal();
        if (terminal.getWidth() < recording.cols() || terminal.getHeight() < recording.rows()) {
            in.err()
                    .println("note: it was recorded at " + recording.cols() + "x" + recording.rows()
                            + ", this terminal is " + terminal.getWidth() + "x" + terminal.getHeight());
            in.err().flush();
        }
        var before = terminal.getAttributes();
        // What the terminal answers or the user types meanwhile is not shown.
        var raw = new Attributes(before);
        raw.setLocalFlag(Attributes.LocalFlag.ICANON, false);
        raw.setLocalFlag(Attributes.LocalFlag.ECHO, false);
        terminal.setAttributes(raw);
        try {
            shower.show(new LineFeeds(terminal.writer()), millis -> key(terminal, millis));
        } finally {
            terminal.setAttributes(before);
            terminal.writer().println();
            terminal.flush();
        }
    }

    /** Arrow keys are the letters that vi has for them. */
    private static int key(org.jline.terminal.Terminal terminal, long millis) throws IOException {
        var reader = terminal.reader();
        var key = next(reader, Math.max(1, millis));
        if (key == 27 && next(reader, 50) == '[') {
            return switch (next(reader, 50)) {
                case 'C' -> 'l';
                case 'D' -> 'h';
                default -> -1;
            };
        }
        return key;
    }

    /** A read waits however long it takes; a peek does not. */
    private static int next(NonBlockingReader reader, long millis) throws IOException {
        var next = reader.peek(millis);
        return next < 0 ? next : reader.read();
    }

    private void export(Invocation in) throws IOException {
        var recording = recordings.find(in.argument("RECORDING"));
        var format = format(in.requiredOption("format"));
        if (!in.argument("FILE").equals("-")) {
            recordings.export(recording.id(), format, in.session().path(in.argument("FILE")), in.flag("force"));
        } else if (format == Format.TAR) {
            throw HydraException.usage("a tar goes to a file; name one");
        } else if (format.isText()) {
            recordings.export(recording.id(), format, in.out());
            in.out().flush();
        } else if (in.session().outIsTerminal()) {
            throw HydraException.usage(
                    "raw bytes do not go to a terminal; give a file, or play them with `hydra recording replay`");
        } else {
            recordings.exportRaw(recording.id(), in.session().outBytes());
        }
    }

    private void search(Invocation in) throws IOException {
        var since = duration("since", in.option("since"));
        java.util.regex.Pattern pattern;
        try {
            pattern = Pattern.compile(in.argument("REGEX"));
        } catch (java.util.regex.PatternSyntaxException e) {
            throw HydraException.usage("`" + PlainText.shorten(in.argument("REGEX")) + "` is no regular expression: "
                    + PlainText.safe(e.getDescription()));
        }
        var where = in.option("in");
        Search.Place place = null;
        if (where != null) {
            place = Arrays.stream(Search.Place.values())
                    .filter(p -> p.name().toLowerCase(Locale.ROOT).equals(where))
                    .findFirst()
                    .orElseThrow(() -> HydraException.usage(
                            "`--in` is `" + PlainText.shorten(where) + "`; use terminal, dialog or input"));
        }
        var hits = new java.util.ArrayList<Search.Hit>();
        recordings.search(
                new Search.Query(
                        pattern,
                        place,
                        in.option("instance"),
                        since == null ? null : java.time.Instant.now().minus(since)),
                hits::add);
        var open = number("open", in.option("open"));
        if (open == null) {
            in.print(hits, HITS);
            return;
        }
        if (open < 1 || open > hits.size()) {
            throw HydraException.notFound("there are " + hits.size() + " results; `--open` takes the number of one");
        }
        var hit = hits.get(open.intValue() - 1);
        replay(
                in,
                recordings.find(hit.id()),
                new Replay.Options(1, null, Duration.ofMillis((long) Math.max(0, hit.seconds() * 1000 - 2000)), null),
                false);
    }

    private void mark(Invocation in) {
        var recording = recordings.find(in.argument("RECORDING"));
        if (recording.state() == Recording.State.ENDED) {
            throw HydraException.conflict(
                    "`" + recording.id() + "` has ended; a marker goes into one that is being recorded");
        }
        recordings.mark(recording.id(), "mark", "user", in.argument("TEXT"), Map.of());
    }

    private void redact(Invocation in) {
        var recording = recordings.find(in.argument("RECORDING"));
        if (in.dryRun()) {
            in.out().println("would take secrets out of " + recording.folder());
            return;
        }
        var counts = recordings.redact(recording.id());
        in.out()
                .println(
                        counts.isEmpty()
                                ? "nothing found"
                                : counts.entrySet().stream()
                                        .map(e -> e.getValue() + " " + e.getKey())
                                        .collect(Collectors.joining(", ")));
    }

    private List<Recording> prunable(Invocation in) {
        var keep = number("keep", in.option("keep"));
        var size = number("max-size", in.option("max-size"));
        var older = duration("older", in.option("older"));
        if (keep == null && size == null && older == null) {
            throw HydraException.usage("say what is to go: --older, --keep or --max-size");
        }
        return recordings.prunable(
                older, keep == null ? null : keep.intValue(), size == null ? null : size * 1_000_000);
    }

    private void prune(Invocation in) {
        for (var recording : prunable(in)) {
            if (!in.dryRun()) {
                recordings.delete(recording.id());
            }
            in.out().println((in.dryRun() ? "would remove " : "removed ") + recording.id());
        }
    }

    private List<Recording> compressible(Invocation in) {
        var wanted = in.argumentOrNull("RECORDING");
        var older = duration("older", in.option("older"));
        if ((wanted == null) == (older == null)) {
            throw HydraException.usage("name a recording, or say with --older how old they are to be");
        }
        return older == null
                ? List.of(recordings.find(Objects.requireNonNull(wanted)))
                : recordings.compressible(older);
    }

    private void compress(Invocation in) {
        for (var recording : compressible(in)) {
            in.out()
                    .println(
                            in.dryRun()
                                    ? "would compress " + recording.id()
                                    : recording.id() + " is smaller by "
                                            + PlainText.bytes(recordings.compress(recording.id())));
        }
    }

    private static @Nullable Long number(String option, @Nullable String text) {
        if (text == null) {
            return null;
        }
        if (!text.matches("\\d{1,9}")) {
            throw HydraException.usage("`--" + option + "` is `" + PlainText.shorten(text) + "`; give a number");
        }
        return Long.valueOf(text);
    }

    private void verify(Invocation in) {
        var wanted = in.argumentOrNull("RECORDING");
        if ((wanted == null) != in.flag("all")) {
            throw HydraException.usage("name a recording, or pass --all");
        }
        var ids = wanted == null
                ? recordings.list().stream().map(Recording::id).toList()
                : List.of(recordings.find(wanted).id());
        var found = ids.stream().map(recordings::verify).toList();
        in.print(found, VERIFIED);
        var gone = wanted == null ? recordings.verifyLedger() : List.<String>of();
        gone.forEach(problem -> in.err().println(problem));
        var wrong = found.stream().filter(v -> !v.ok()).count() + gone.size();
        if (wrong > 0) {
            throw HydraException.failed(
                    wrong + (wrong == 1 ? " recording is" : " recordings are") + " not as recorded");
        }
    }

    private void delete(Invocation in) {
        var wanted = in.argument("RECORDING");
        var recording = recordings.find(wanted);
        if (!recording.id().contains(wanted)) {
            throw HydraException.usage(
                    "`" + PlainText.shorten(wanted) + "` is no id of a recording; `hydra recording list --filter "
                            + "instance=" + PlainText.shorten(wanted) + "` shows them");
        }
        if (in.dryRun()) {
            in.out().println("would remove " + recording.folder());
            return;
        }
        recordings.delete(recording.id());
    }

    private static Format format(String word) {
        return Arrays.stream(Format.values())
                .filter(f -> f.word().equals(word))
                .findFirst()
                .orElseThrow(() -> HydraException.usage("`" + PlainText.shorten(word) + "` is no format; use "
                        + Arrays.stream(Format.values()).map(Format::word).collect(Collectors.joining(", "))));
    }

    private static double speed(String text) {
        try {
            var speed = Double.parseDouble(text);
            if (speed > 0) {
                return speed;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw HydraException.usage(
                "`--speed` is `" + PlainText.shorten(text) + "`; give a number above 0, such as 2 or 0.5");
    }

    private static @Nullable Duration duration(String option, @Nullable String text) {
        if (text == null) {
            return null;
        }
        var parts = DURATION.matcher(text);
        if (!parts.matches()) {
            throw HydraException.usage(
                    "`--" + option + "` is `" + PlainText.shorten(text) + "`; give a time, such as 500ms, 1.5s or 2m");
        }
        var unit =
                switch (parts.group(2)) {
                    case "ms" -> 1;
                    case "s" -> 1000;
                    case "m" -> 60_000;
                    default -> 3_600_000;
                };
        return Duration.ofNanos((long) (Double.parseDouble(parts.group(1)) * unit * 1_000_000));
    }

    private static String word(Recording.State state) {
        return state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private static String length(double seconds) {
        var whole = Math.round(seconds);
        return whole < 60
                ? whole + "s"
                : whole < 3600 ? whole / 60 + "m" + whole % 60 + "s" : whole / 3600 + "h" + whole % 3600 / 60 + "m";
    }

    /**
     * Writes line feeds as vertical tabs. The bytes come from behind a line discipline; the user's own would make each line feed a
     * new line, which it does not do to a vertical tab, while terminals take both alike.
     */
    private static final class LineFeeds extends FilterWriter {
        LineFeeds(Writer out) {
            super(out);
        }

        @Override
        public void write(String text, int offset, int length) throws IOException {
            out.write(text.substring(offset, offset + length).replace('\n', '\u000B'));
        }
    }
}
