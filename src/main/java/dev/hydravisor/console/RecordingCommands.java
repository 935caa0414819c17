package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.Format;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.recording.Replay;
import dev.hydravisor.recording.Verified;
import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jline.terminal.Attributes;
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
            .column("LOG", Shown::log)
            .column("COMPLAINTS", s -> String.join("; ", s.complaints()));

    private static final Table<Verified> VERIFIED = Table.named("ID", Verified::id)
            .column("STATE", v -> v.ok() ? "unchanged" : "CHANGED")
            .column("SEALED", v -> PlainText.bytes(v.sealed()))
            .column("UNSEALED", v -> v.unsealed() == 0 ? "" : PlainText.bytes(v.unsealed()))
            .column("PROBLEMS", v -> String.join("; ", v.problems()));

    /**
     * What {@code recording show} tells.
     *
     * @param log the plain text, brought up to date
     * @param complaints of the recorder; empty when all went well
     */
    record Shown(Recording recording, String log, List<String> complaints) {}

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
                HydraCommand.named("recording replay", "play a recording in this terminal")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .option("speed", "FACTOR", "times as fast as it was", Values.of("0.5", "2", "4", "8"), "1")
                        .option(
                                "idle-limit",
                                "TIME",
                                "the longest pause to keep, such as 500ms or 1s",
                                Values.of("500ms", "1s", "2s"))
                        .details(
                                "Ctrl-C ends it and leaves the terminal as it was. Requests that a recorded program made to its "
                                        + "terminal (for its title, its clipboard, the mouse) are not repeated.")
                        .example("hydra recording replay web --speed 2 --idle-limit 1s")
                        .runs(this::replay),
                HydraCommand.named("recording export", "write a recording to a file")
                        .argument("RECORDING", ARGUMENT, names.recordings())
                        .argument("FILE", "where to; `-` is standard output", Values.files())
                        .option(
                                "format",
                                "FORMAT",
                                "cast (asciicast v2), cast-v3, txt, raw or jsonl (the dialog)",
                                Values.of(Arrays.stream(Format.values())
                                        .map(Format::word)
                                        .toArray(String[]::new)),
                                "cast")
                        .flag("force", "replace the file when it exists")
                        .example("hydra recording export web web.cast")
                        .runs(this::export),
                HydraCommand.named("recording verify", "check that nothing in a recording was changed")
                        .optionalArgument("RECORDING", ARGUMENT, names.recordings())
                        .flag("all", "check every recording, and that none is gone")
                        .output()
                        .details(
                                "Finds any byte that was changed, removed, moved or cut off, by the recording's own manifest and the"
                                        + " ledger of all recordings. The exit status is 1 when something is wrong.")
                        .example("hydra recording verify --all")
                        .runs(this::verify),
                HydraCommand.named("recording delete", "remove a recording for good")
                        .argument("RECORDING", "the recording's id", names.recordings())
                        .dryRun()
                        .example("hydra recording delete session-20260131T101500Z")
                        .runs(this::delete));
    }

    private static final String ARGUMENT = "its id, the beginning of one, or an instance, whose newest is taken";

    private void show(Invocation in) {
        var recording = recordings.find(in.argument("RECORDING"));
        in.print(
                new Shown(
                        recording,
                        recordings.terminalLog(recording.id()).toString(),
                        recordings.complaints(recording.id())),
                SHOWN);
    }

    private void replay(Invocation in) throws IOException {
        var recording = recordings.find(in.argument("RECORDING"));
        var options =
                new Replay.Options(speed(in.requiredOption("speed")), duration("idle-limit", in.option("idle-limit")));
        if (!in.session().outIsTerminal() || !in.session().inIsTerminal()) {
            recordings.replay(recording.id(), options, in.out());
            in.out().println();
            return;
        }
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
            recordings.replay(recording.id(), options, new LineFeeds(terminal.writer()));
        } finally {
            terminal.setAttributes(before);
            terminal.writer().println();
            terminal.flush();
        }
    }

    private void export(Invocation in) throws IOException {
        var recording = recordings.find(in.argument("RECORDING"));
        var format = format(in.requiredOption("format"));
        if (!in.argument("FILE").equals("-")) {
            recordings.export(recording.id(), format, in.session().path(in.argument("FILE")), in.flag("force"));
        } else if (format != Format.RAW) {
            recordings.export(recording.id(), format, in.out());
            in.out().flush();
        } else if (in.session().outIsTerminal()) {
            throw HydraException.usage(
                    "raw bytes do not go to a terminal; give a file, or play them with `hydra recording replay`");
        } else {
            Files.copy(recording.file("terminal.raw"), in.session().outBytes());
        }
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
