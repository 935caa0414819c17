package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(AsUser.class)
class RecordingServiceTest {
    private static final JsonLines JSON = new JsonLines();

    @TempDir
    Path folder;

    private RecordingService service =
            new RecordingService(new HydraHome(Path.of("/")), Guards.in(new HydraHome(Path.of("/"))));

    @BeforeEach
    void start() {
        service = new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)));
        service.start();
    }

    private Recording begin(String instance) {
        return service.begin(new Begin(instance, "id-1", "vm", "debian-13", "", "ann", 80, 24, instance + " shell"));
    }

    /** Writes what the recorder would have written: at each time, in microseconds, these bytes. */
    private static void print(Recording recording, long micros, byte[] bytes) throws IOException {
        var raw = recording.file("terminal.raw");
        var at = Files.exists(raw) ? Files.size(raw) : 0;
        Files.write(raw, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        Files.writeString(
                recording.file("terminal.idx"),
                micros + " " + at + "\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    private static void print(Recording recording, long micros, String text) throws IOException {
        print(recording, micros, text.getBytes(StandardCharsets.UTF_8));
    }

    private List<List<Object>> castEvents(Recording recording, Format format) throws IOException {
        var text = new StringWriter();
        service.export(recording.id(), format, text);
        return text.toString()
                .lines()
                .skip(1)
                .filter(l -> l.startsWith("["))
                .map(JSON::list)
                .toList();
    }

    private String text(Recording recording) throws IOException {
        var text = new StringWriter();
        service.export(recording.id(), Format.TXT, text);
        return text.toString();
    }

    @Test
    void twoRecordingsOfTheSameSecondHaveFoldersOfTheirOwnThatOnlyTheOwnerReads() throws IOException {
        var one = begin("web");
        var two = begin("web");
        assertThat(one.id()).matches("session-\\d{8}T\\d{6}Z(-\\d+)?");
        assertThat(two.id()).isNotEqualTo(one.id());
        assertThat(Files.getPosixFilePermissions(Path.of(one.folder())))
                .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }

    @Test
    void everyExportSaysTheSameAfterARestart() throws IOException {
        var recording = begin("web");
        print(recording, 1_000, "one\r\n");
        print(recording, 500_000, "two\r\n");
        assertThat(castEvents(recording, Format.CAST))
                .containsExactly(List.of(0.001, "o", "one\r\n"), List.of(0.5, "o", "two\r\n"));
        assertThat(castEvents(recording, Format.CAST_V3))
                .containsExactly(List.of(0.001, "o", "one\r\n"), List.of(0.499, "o", "two\r\n"));
        var again = new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)));
        again.start();
        assertThat(again.find("web").state()).isEqualTo(Recording.State.CUT_OFF);
        assertThat(again.find("web").seconds()).isEqualTo(0.5);
        assertThat(recording.file("terminal.log")).hasContent("one\ntwo\n");
    }

    @Test
    void aCharacterThatArrivesInPartsIsInOneEvent() throws IOException {
        var whole = "aé漢😀z".getBytes(StandardCharsets.UTF_8);
        for (int cut = 0; cut <= whole.length; cut++) {
            var recording = begin("cut" + cut);
            print(recording, 10, Arrays.copyOf(whole, cut));
            print(recording, 20, java.util.Arrays.copyOfRange(whole, cut, whole.length));
            var events = castEvents(recording, Format.CAST);
            assertThat(String.join(
                            "", events.stream().map(e -> (String) e.get(2)).toList()))
                    .isEqualTo("aé漢😀z");
        }
        var bytewise = begin("bytes");
        for (int i = 0; i < whole.length; i++) {
            print(bytewise, i, new byte[] {whole[i]});
        }
        assertThat(castEvents(bytewise, Format.CAST).stream().map(e -> e.get(2)))
                .containsExactly("a", "é", "漢", "😀", "z");
    }

    @Test
    void bytesThatAreNoUtf8AreReplacedAndTheRawOnesKept() throws IOException {
        var recording = begin("web");
        print(recording, 1, new byte[] {'a', (byte) 0xFF, 'b', (byte) 0xE6});
        assertThat(castEvents(recording, Format.CAST).stream().map(e -> e.get(2)))
                .containsExactly("a\uFFFDb", "\uFFFD");
        service.export(recording.id(), Format.RAW, folder.resolve("x.raw"), false);
        assertThat(folder.resolve("x.raw")).hasBinaryContent(new byte[] {'a', (byte) 0xFF, 'b', (byte) 0xE6});
    }

    @Test
    void resizesDialogAndGapsStandInTheCastAtTheirTime() throws IOException {
        var recording = begin("web");
        print(recording, 0, "a");
        service.resized(recording.id(), 100, 30);
        service.dialog(recording.id(), DialogEntry.message("user", "ollama:tiny", "why\nis it \u001b[31mslow?"));
        Files.writeString(recording.file("terminal.idx"), "99000000 1 gap 17\n", StandardOpenOption.APPEND);
        Files.writeString(recording.file("terminal.raw"), "b", StandardOpenOption.APPEND);
        assertThat(castEvents(recording, Format.CAST).stream().map(e -> e.get(1) + " " + e.get(2)))
                .containsExactly("o a", "r 100x30", "m user: why is it [31mslow?", "m gap: 17 bytes lost", "o b");
    }

    @Test
    void dialogEntriesAreNumberedOnThroughARestartAndSayWhereTheTerminalStood() throws IOException {
        var recording = begin("web");
        service.dialog(recording.id(), DialogEntry.message("user", "ollama:tiny", "hello\u009b"));
        print(recording, 1, "12345");
        var again = new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)));
        again.start();
        again.dialog(recording.id(), new DialogEntry("tool_call", "assistant", null, "ls", Map.of("status", 0)));
        var lines = Files.readAllLines(recording.file("dialog.jsonl"));
        assertThat(lines).hasSize(2);
        assertThat(lines.get(0)).doesNotContain("\u009b");
        assertThat(JSON.map(lines.get(0)))
                .containsEntry("seq", 1)
                .containsEntry("offset", 0)
                .containsEntry("kind", "message")
                .containsEntry("content", "hello\u009b")
                .containsKeys("time", "at", "role", "model", "data");
        assertThat(JSON.map(lines.get(1)))
                .containsEntry("seq", 2)
                .containsEntry("offset", 5)
                .containsEntry("data", Map.of("status", 0));
    }

    @Test
    void halfALineLeftByACrashIsCutOffAndNothingElseIsLost() throws IOException {
        var recording = begin("web");
        print(recording, 1_000, "whole");
        service.dialog(recording.id(), DialogEntry.message("user", null, "whole"));
        service.resized(recording.id(), 90, 20);
        for (var name : List.of("terminal.idx", "dialog.jsonl", "resize.idx")) {
            Files.writeString(recording.file(name), "{\"seq\":2,\"half", StandardOpenOption.APPEND);
        }
        assertThat(castEvents(recording, Format.CAST)).hasSize(3);
        var again = new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)));
        again.start();
        for (var name : List.of("terminal.idx", "dialog.jsonl", "resize.idx")) {
            assertThat(Files.readString(recording.file(name))).endsWith("\n").doesNotContain("half");
        }
        again.dialog(recording.id(), DialogEntry.message("user", null, "next"));
        assertThat(Files.readAllLines(recording.file("dialog.jsonl"))).hasSize(2);
        assertThat(castEvents(recording, Format.CAST)).hasSize(4);
    }

    @Test
    void aRecordingWhoseMetaIsLostIsStillListedAndExported() throws IOException {
        var recording = begin("web");
        print(recording, 1_000, "kept\r\n");
        Files.writeString(recording.file("meta.json"), "");
        assertThat(service.list()).singleElement().satisfies(r -> {
            assertThat(r.id()).isEqualTo(recording.id());
            assertThat(r.start()).isBetween(recording.start().minusSeconds(1), recording.start());
        });
        assertThat(text(recording)).isEqualTo("kept\n");
    }

    @Test
    void endingTwiceKeepsTheFirstReason() throws IOException {
        var recording = begin("web");
        print(recording, 2_000_000, "bye\r\n");
        service.end(recording.id(), "closed by the user");
        service.end(recording.id(), "again");
        var ended = service.find("web");
        assertThat(ended.state()).isEqualTo(Recording.State.ENDED);
        assertThat(ended.endReason()).isEqualTo("closed by the user");
        assertThat(ended.end()).isEqualTo(recording.start().plusSeconds(2));
        assertThat(recording.file("terminal.log")).hasContent("bye\n");
    }

    @Test
    void aRecordingIsFoundByIdByItsBeginningAndByItsInstance() {
        var one = begin("web");
        var two = begin("web");
        begin("db");
        assertThat(service.find(one.id()).id()).isEqualTo(one.id());
        assertThat(service.find("web").id()).isEqualTo(two.id());
        assertThatThrownBy(() -> service.find("session-"))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE));
        for (var wrong : List.of("nope", "", "../..", "session-../../x")) {
            assertThatThrownBy(() -> service.find(wrong))
                    .isInstanceOfSatisfying(
                            HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
        }
        assertThatThrownBy(() -> service.delete("session-x/../../.."))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
    }

    @Test
    void anExportNeverOverwritesUnlessForcedAndLeavesNothingHalf() throws IOException {
        var recording = begin("web");
        print(recording, 1, "new\r\n");
        var file = folder.resolve("out.txt");
        Files.writeString(file, "old");
        assertThatThrownBy(() -> service.export(recording.id(), Format.TXT, file, false))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CONFLICT));
        assertThat(file).hasContent("old");
        service.export(recording.id(), Format.TXT, file, true);
        assertThat(file).hasContent("new\n");
        assertThatThrownBy(() -> service.export(recording.id(), Format.TXT, folder, true))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CONFLICT));
        assertThatThrownBy(() -> service.export(recording.id(), Format.TXT, folder.resolve("no/x"), true))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
        try (var files = Files.list(folder)) {
            assertThat(files.map(f -> f.getFileName().toString()))
                    .doesNotContain(".out.txt")
                    .noneMatch(n -> n.endsWith(".part"));
        }
    }

    private Recording ended() throws IOException {
        var recording = begin("web");
        print(recording, 1_000, "one\r\n");
        print(recording, 2_000_000, "two\r\n");
        service.dialog(recording.id(), DialogEntry.message("user", null, "hello"));
        service.dialog(recording.id(), DialogEntry.message("assistant", null, "there"));
        service.resized(recording.id(), 90, 20);
        service.end(recording.id(), "closed");
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        return recording;
    }

    @Test
    void everyByteThatIsChangedRemovedAddedOrCutOffIsFound() throws IOException {
        var recording = ended();
        for (var name : List.of(
                "terminal.raw",
                "terminal.idx",
                "dialog.jsonl",
                "resize.idx",
                "meta.json",
                "terminal.log",
                "MANIFEST")) {
            var file = recording.file(name);
            var bytes = Files.readAllBytes(file);
            for (int i = 0; i < bytes.length; i += 1 + bytes.length / 40) {
                var wrong = bytes.clone();
                wrong[i] ^= 1;
                Files.write(file, wrong);
                assertThat(service.verify(recording.id()).problems())
                        .as("%s changed at %d", name, i)
                        .isNotEmpty();
                Files.write(file, java.util.Arrays.copyOf(bytes, i));
                assertThat(service.verify(recording.id()).problems())
                        .as("%s cut off at %d", name, i)
                        .isNotEmpty();
            }
            Files.write(file, "more\n".getBytes(StandardCharsets.US_ASCII), StandardOpenOption.APPEND);
            assertThat(service.verify(recording.id()).problems())
                    .as("%s made longer", name)
                    .isNotEmpty();
            Files.delete(file);
            if (!name.equals("meta.json")) {
                assertThat(service.verify(recording.id()).problems())
                        .as("%s removed", name)
                        .isNotEmpty();
            }
            Files.write(file, bytes);
        }
        var lines = Files.readAllLines(recording.file("MANIFEST"));
        for (int i = 0; i < lines.size(); i++) {
            var fewer = new ArrayList<>(lines);
            fewer.remove(i);
            Files.write(recording.file("MANIFEST"), fewer);
            assertThat(service.verify(recording.id()).problems())
                    .as("without line %d", i)
                    .isNotEmpty();
            if (i > 0) {
                var moved = new ArrayList<>(lines);
                java.util.Collections.swap(moved, i, i - 1);
                Files.write(recording.file("MANIFEST"), moved);
                assertThat(service.verify(recording.id()).problems())
                        .as("line %d moved", i)
                        .isNotEmpty();
            }
        }
        Files.write(recording.file("MANIFEST"), lines);
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        assertThat(service.verifyLedger()).isEmpty();
    }

    @Test
    void aRecordingThatIsGoneWithoutBeingDeletedIsMissed() throws IOException {
        var one = ended();
        var two = ended();
        service.delete(two.id());
        assertThat(service.verifyLedger()).isEmpty();
        org.springframework.util.FileSystemUtils.deleteRecursively(Path.of(one.folder()));
        assertThat(service.verifyLedger()).containsExactly(one.id() + " is gone, though nobody deleted it");
    }

    @Test
    void secretsAreTakenOutOfDialogMarkersAndTitlesAndCounted() throws IOException {
        var secret = "AKIAIOSFODNN7EXAMPLE";
        var recording =
                service.begin(new Begin("web", "id-1", "vm", "debian-13", "", "ann", 80, 24, "about " + secret));
        service.dialog(recording.id(), DialogEntry.message("user", null, "my key is " + secret + " or " + secret));
        service.mark(recording.id(), "tool_call", "assistant", "run", Map.of("argv", List.of("aws", secret), "n", 3));
        for (var name : List.of("meta.json", "dialog.jsonl")) {
            assertThat(recording.file(name))
                    .content()
                    .doesNotContain("IOSFODNN")
                    .contains("AKIA****************");
        }
        var lines = Files.readAllLines(recording.file("dialog.jsonl"));
        assertThat(JSON.map(lines.getFirst())).containsEntry("redacted", Map.of("aws-key", 2));
        assertThat(JSON.map(lines.getLast()).get("data"))
                .isEqualTo(Map.of("argv", List.of("aws", "AKIA****************"), "n", 3));
    }

    @Test
    void aDeletedRecordingIsGone() throws IOException {
        var recording = begin("web");
        print(recording, 1, "x");
        service.delete(recording.id());
        assertThat(service.list()).isEmpty();
        assertThat(Path.of(recording.folder())).doesNotExist();
    }

    @Test
    void aReplayKeepsPausesUpToTheIdleLimitDividedByTheSpeed() {
        assertThat(new Replay.Options(1, null).pause(3_000_000)).isEqualTo(3_000_000_000L);
        assertThat(new Replay.Options(2, null).pause(3_000_000)).isEqualTo(1_500_000_000L);
        assertThat(new Replay.Options(2, Duration.ofSeconds(1)).pause(3_000_000))
                .isEqualTo(500_000_000L);
        assertThat(new Replay.Options(0.5, Duration.ofSeconds(1)).pause(500_000))
                .isEqualTo(1_000_000_000L);
        assertThat(new Replay.Options(1, Duration.ZERO).pause(500_000)).isZero();
        assertThat(new Replay.Options(Double.POSITIVE_INFINITY, null).pause(Long.MAX_VALUE / 2000))
                .isZero();
        for (var wrong : new double[] {0, -1, Double.NaN}) {
            assertThatThrownBy(() -> new Replay.Options(wrong, null)).isInstanceOf(HydraException.class);
        }
    }

    @Test
    void aReplayTakesTheTimeItSaysAndEndsAtOnceWhenInterrupted() throws Exception {
        var recording = begin("web");
        print(recording, 0, "a");
        print(recording, 60_000_000, "b");
        var out = new StringWriter();
        var start = System.nanoTime();
        service.replay(recording.id(), new Replay.Options(2, Duration.ofMillis(200)), out);
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isBetween(Duration.ofMillis(100), Duration.ofSeconds(5));
        assertThat(out.toString()).startsWith("ab");

        var failures = new ArrayList<Exception>();
        var cut = new StringWriter();
        var thread = Thread.ofVirtual().start(() -> {
            try {
                service.replay(recording.id(), new Replay.Options(1, null), cut);
            } catch (HydraException | IOException e) {
                failures.add(e);
            }
        });
        Thread.sleep(100);
        thread.interrupt();
        assertThat(thread.join(Duration.ofSeconds(5))).isTrue();
        assertThat(failures)
                .singleElement()
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertThat(cut.toString()).startsWith("a").contains("\033[?25h");
    }

    @Test
    void theCommandsOfARecordingAreKnownAndWhoRanThemAndHowTheyEnded() throws IOException {
        var one = begin("web");
        print(one, 1_000_000, "root@web:~# ls -l /tmp\r\ntotal 0\r\nroot@web:~# ");
        service.mark(one.id(), "handover", "system", "`ollama:tiny` has the shell", Map.of("writer", "ollama:tiny"));
        print(
                one,
                9_000_000,
                " printf '\\33]7719;S%s\\7' 0123abcd;eval 'grep '\\''x y'\\'' f';printf '\\33]7719;E%s;%d\\7' 0123abcd $?\r\n"
                        + "\033]7719;S0123abcd\007no\r\n\033]7719;E0123abcd;1\007root@web:~# ");
        print(one, 10_000_000, "make all\r\n\033]133;D;2\007root@web:~# ");
        assertThat(service.commands(one.id()))
                .extracting(CommandRun::by, CommandRun::command, CommandRun::status)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("user", "ls -l /tmp", null),
                        org.assertj.core.groups.Tuple.tuple("ollama:tiny", "grep 'x y' f", 1),
                        org.assertj.core.groups.Tuple.tuple("user", "make all", 2));

        var two = begin("db");
        print(two, 1_000_000, "$ ls -l /tmp\r\n$ ");
        print(two, 2_000_000, "make all\r\n\033]133;D;0\007$ ");
        print(two, 3_000_000, "make test\r\n");
        assertThat(service.diff(one.id(), two.id()))
                .containsExactly(
                        new CommandRun.Difference(" ", "ls -l /tmp", null, null),
                        new CommandRun.Difference("-", "grep 'x y' f", 1, null),
                        new CommandRun.Difference(" ", "make all", 2, 0),
                        new CommandRun.Difference("+", "make test", null, null));
    }

    @Test
    void whoWritesFilesManifestAndLedgerAnewIsFoundOutByTheSignature() throws IOException {
        var recording = begin("web");
        print(recording, 1_000, "as it was\r\n");
        service.end(recording.id(), "closed");
        var verified = service.verify(recording.id());
        assertThat(verified.problems()).isEmpty();
        assertThat(verified.signed()).isEqualTo("this home");
        assertThat(Files.getPosixFilePermissions(folder.resolve("keys/recording.key")))
                .isEqualTo(PosixFilePermissions.fromString("rw-------"));

        // Taken away, it is missed.
        var signature = Files.readString(recording.file("MANIFEST.sig"));
        Files.delete(recording.file("MANIFEST.sig"));
        assertThat(service.verify(recording.id()).problems()).containsExactly("its signature was removed");
        Files.writeString(recording.file("MANIFEST.sig"), signature);
        assertThat(service.verify(recording.id()).problems()).isEmpty();

        // Everything but the key is at hand: the same recording with another text, and a ledger that fits.
        var other = folder.resolve("other");
        var forger = new RecordingService(new HydraHome(other), Guards.in(new HydraHome(other)));
        forger.start();
        Files.createDirectories(other.resolve("logs/" + recording.id()));
        for (var name : List.of("meta.json", "resize.idx", "dialog.jsonl", "terminal.idx")) {
            if (Files.exists(recording.file(name))) {
                Files.copy(recording.file(name), other.resolve("logs/" + recording.id() + "/" + name));
            }
        }
        Files.writeString(
                other.resolve("logs/" + recording.id() + "/meta.json"),
                Files.readString(recording.file("meta.json")).replaceAll("\"end\" : \"[^\"]*\"", "\"end\" : null"));
        Files.writeString(other.resolve("logs/" + recording.id() + "/terminal.raw"), "as it wasn't\r\n");
        forger.end(recording.id(), "closed");
        try (var files = Files.list(other.resolve("logs/" + recording.id()))) {
            for (var file : files.toList()) {
                Files.copy(
                        file,
                        recording.file(file.getFileName().toString()),
                        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            }
        }
        Files.copy(
                other.resolve("logs/LEDGER"),
                folder.resolve("logs/LEDGER"),
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        var forged =
                new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder))).verify(recording.id());
        assertThat(forged.signed()).startsWith("key ");
        // With the signature that was there it does not fit.
        Files.writeString(
                recording.file("MANIFEST.sig"),
                new Signer(folder.resolve("keys")).sign(recording.id(), "0".repeat(64)));
        assertThat(new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)))
                        .verify(recording.id())
                        .problems())
                .containsExactly("its signature is of another manifest");
    }

    @Test
    void aCompressedRecordingIsFoundPlayedExportedAndVerifiedAsBefore() throws Exception {
        var recording = begin("web");
        service.mark(recording.id(), "mark", "user", "look", Map.of());
        for (int i = 0; i < 500; i++) {
            print(recording, 1_000_000L * i, "line " + i + " of what repeats itself\r\n");
        }
        service.end(recording.id(), "closed");
        var before = all(recording);
        var folder = Path.of(recording.folder());
        var size = sizeOf(folder);
        var bytes = service.find(recording.id()).bytes();

        assertThat(service.compressible(Duration.ofDays(1))).isEmpty();
        assertThat(service.compressible(Duration.ofSeconds(-1000)))
                .extracting(Recording::id)
                .containsExactly(recording.id());
        assertThat(service.compress(recording.id())).isPositive();
        assertThat(service.compress(recording.id())).isZero();
        assertThat(sizeOf(folder)).isLessThan(size / 2);
        assertThat(folder.resolve("terminal.raw")).doesNotExist();
        assertThat(all(recording)).isEqualTo(before);
        assertThat(service.find(recording.id()).bytes()).isEqualTo(bytes);
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        assertThat(service.verify(recording.id()).signed()).isEqualTo("this home");
        assertThat(service.verifyLedger()).isEmpty();
        var restarted = new RecordingService(new HydraHome(this.folder), Guards.in(new HydraHome(this.folder)));
        restarted.start();
        assertThat(restarted.verify(recording.id()).problems()).isEmpty();

        // Any byte that is changed is found, in what is packed too.
        for (var name : List.of("terminal.raw.gz", "terminal.idx.gz", "terminal.log.gz", "terminal.cast.gz")) {
            var file = folder.resolve(name);
            var whole = Files.readAllBytes(file);
            for (var at : new int[] {4, whole.length / 2, whole.length - 1}) {
                var changed = whole.clone();
                changed[at] ^= 1;
                Files.write(file, changed);
                assertThat(service.verify(recording.id()).problems())
                        .as(name + " at " + at)
                        .isNotEmpty();
            }
            Files.write(file, Arrays.copyOf(whole, whole.length - 9));
            assertThat(service.verify(recording.id()).problems()).as(name).isNotEmpty();
            Files.delete(file);
            assertThat(service.verify(recording.id()).problems()).as(name).isNotEmpty();
            Files.write(file, whole);
        }
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        service.redact(recording.id());
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        assertThat(Files.readString(folder.resolve("terminal.raw"))).contains("line 499");
    }

    /** All that can be read of a recording. */
    private List<String> all(Recording recording) throws Exception {
        var all = new ArrayList<String>();
        for (var format : List.of(Format.CAST, Format.TXT, Format.JSONL, Format.ANSI)) {
            var out = new StringWriter();
            service.export(recording.id(), format, out);
            all.add(out.toString());
        }
        var raw = new ByteArrayOutputStream();
        service.exportRaw(recording.id(), raw);
        all.add(raw.toString(StandardCharsets.UTF_8));
        service.search(new Search.Query(Pattern.compile("line 49\\d"), null, null, null), h -> all.add(h.toString()));
        all.add(service.redactions(recording.id()).toString());
        assertThat(all).hasSizeGreaterThan(12);
        return all;
    }

    private static long sizeOf(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.mapToLong(f -> f.toFile().length()).sum();
        }
    }
}
