package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a person does with the evidence of a session: finds it after its end, saves it meanwhile, reads the dialog apart. */
@ExtendWith(AsUser.class)
class EvidenceScenarioTest {
    private static final String SECRET = "16C7e42F292c6912E7710c838347Ae178B4a";
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

    /** A session of some seconds: a shell, a question, an answer, a tool call. */
    private Recording session() throws IOException {
        var recording = service.begin(new Begin("web", "id-1", "vm", "debian-13", "", "ann", 40, 10, "vm web"));
        print(recording, 1_000, "$ make\r\n");
        print(recording, 2_000_000, "\033[31mmake: no rule\033[0m to make targ\r\net\r\n");
        service.dialog(recording.id(), DialogEntry.message("user", "ollama:tiny", "why does make fail?"));
        service.dialog(recording.id(), DialogEntry.message("assistant", "ollama:tiny", "there is no Makefile\nhere"));
        service.mark(recording.id(), "tool_call", "assistant", "ls", Map.of("status", 0));
        service.mark(recording.id(), "input", "user", "make install", Map.of());
        print(recording, 9_000_000, "$ exit\r\n");
        return recording;
    }

    private static void print(Recording recording, long micros, String text) throws IOException {
        var raw = recording.file("terminal.raw");
        var at = Files.exists(raw) ? Files.size(raw) : 0;
        Files.writeString(raw, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        Files.writeString(
                recording.file("terminal.idx"),
                micros + " " + at + "\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    private String export(Recording recording, Format format) throws IOException {
        var text = new StringWriter();
        service.export(recording.id(), format, text);
        return text.toString();
    }

    private List<Search.Hit> search(String regex, Search.@org.jspecify.annotations.Nullable Place place) {
        var hits = new ArrayList<Search.Hit>();
        service.search(new Search.Query(Pattern.compile(regex), place, null, null), hits::add);
        return hits;
    }

    @Test
    void logExistsAfterShutdown() throws IOException {
        var recording = session();
        service.end(recording.id(), "instance stopped");
        assertThat(recording.file("terminal.log")).content().startsWith("$ make\nmake: no rule to make targ\net\n");
        var cast = Files.readAllLines(recording.file("terminal.cast"));
        assertThat(JSON.map(cast.getFirst())).containsEntry("version", 3);
        assertThat(cast).anyMatch(l -> l.contains("\"m\",\"tool_call by assistant: ls\""));
        assertThat(JSON.map(Files.readString(recording.file("meta.json"))))
                .containsEntry("end_reason", "instance stopped")
                .containsEntry("models", List.of("ollama:tiny"))
                .containsEntry("bytes", (int) Files.size(recording.file("terminal.raw")));
        assertThat(service.verify(recording.id()).problems()).isEmpty();
    }

    @Test
    void userInitiatedSaveInMidSessionIsExportedAndTheSessionGoesOn() throws IOException {
        var recording = session();
        for (var format : Format.values()) {
            var file = folder.resolve("saved." + format.word());
            service.export(recording.id(), format, file, false);
            assertThat(file).isNotEmptyFile();
        }
        assertThat(folder.resolve("saved.txt")).content().contains("make: no rule");
        assertThat(folder.resolve("saved.ansi")).content().contains("\033[31mmake");
        print(recording, 10_000_000, "later\r\n");
        assertThat(export(recording, Format.TXT)).endsWith("later\n");
        assertThat(folder.resolve("saved.txt")).content().doesNotContain("later");
    }

    @Test
    void modelMessagesAreKeptApartInStructuredForm() throws IOException {
        var recording = session();
        var messages = Files.readAllLines(recording.file("dialog.jsonl")).stream()
                .map(JSON::map)
                .filter(m -> "message".equals(m.get("kind")))
                .toList();
        assertThat(messages)
                .extracting(m -> m.get("role") + ": " + m.get("content"))
                .containsExactly("user: why does make fail?", "assistant: there is no Makefile\nhere");
        assertThat(messages).allMatch(m -> "ollama:tiny".equals(m.get("model")));
        assertThat(recording.file("terminal.raw")).content().doesNotContain("Makefile");
    }

    @Test
    void aSearchFindsTextAsItStoodOnTheScreenWithItsTime() throws IOException {
        var recording = session();
        for (int i = 0; i < 2; i++) {
            assertThat(search("no rule to", Search.Place.TERMINAL))
                    .singleElement()
                    .satisfies(h -> {
                        assertThat(h.seconds()).isEqualTo(2.0);
                        assertThat(h.id()).isEqualTo(recording.id());
                    });
            assertThat(search("Makefile", Search.Place.DIALOG))
                    .extracting(Search.Hit::text)
                    .containsExactly("there is no Makefile");
            assertThat(search("install", null)).extracting(Search.Hit::place).containsExactly(Search.Place.INPUT);
            assertThat(search("nowhere", null)).isEmpty();
            service.end(recording.id(), "closed");
        }
    }

    @Test
    void aPageHoldsPlayerAndCastAndNothingRecordedEndsItsScript() throws IOException {
        var recording = session();
        print(recording, 11_000_000, "</script><img src=x>");
        var page = export(recording, Format.HTML);
        assertThat(page).contains("AsciinemaPlayer.create(", "no rule").doesNotContain("<img");
        assertThat(page).doesNotContain("src=\"http", "href=\"http");
    }

    @Test
    void aForeignCastIsTakenInWithoutItsSecretsAndPlaysTheSame() throws IOException {
        var file = folder.resolve("foreign.cast");
        Files.writeString(
                file,
                "{\"version\":3,\"term\":{\"cols\":50,\"rows\":9},\"timestamp\":1700000000,\"title\":\"a ghp_" + SECRET
                        + "\"}\n"
                        + "# a comment\n[0.5,\"o\",\"token ghp_" + SECRET.substring(0, 9) + "\"]\n[1.5,\"o\",\""
                        + SECRET.substring(9)
                        + " end\\r\\n\"]\n[0,\"r\",\"60x12\"]\n[1,\"m\",\"here\"]\n[1,\"x\",\"0\"]\n");
        var taken = service.importCast(file, "ann");
        assertThat(taken.state()).isEqualTo(Recording.State.ENDED);
        assertThat(taken.cols()).isEqualTo(50);
        assertThat(export(taken, Format.TXT)).isEqualTo("token ghp_" + "*".repeat(36) + " end\n");
        assertThat(export(taken, Format.CAST_V3))
                .contains("\"r\",\"60x12\"", "here")
                .doesNotContain(SECRET.substring(0, 9));
        assertThat(service.redactions(taken.id())).containsEntry("github-token", 1);
        assertThat(service.verify(taken.id()).problems()).isEmpty();
        for (var wrong :
                List.of("", "text", "{\"version\":1}", "{\"version\":2}\n[1]", "{\"version\":2}\n[0,\"r\",\"x\"]")) {
            Files.writeString(file, wrong);
            assertThatThrownBy(() -> service.importCast(file, "ann")).isInstanceOf(HydraException.class);
        }
        assertThat(service.list()).hasSize(1);
    }

    @Test
    void anOldRecordingIsRedactedAndItsNewManifestNamesTheOld() throws IOException {
        var recording = service.begin(new Begin("web", "id-1", "vm", "debian-13", "", "ann", 40, 10, "vm web"));
        print(recording, 1_000, "one ghp_" + SECRET.substring(0, 5));
        print(recording, 2_000, SECRET.substring(5) + " two\r\n");
        service.end(recording.id(), "closed");
        var old = Files.readAllLines(recording.file("MANIFEST")).getLast();
        assertThat(service.redact(recording.id())).containsExactly(Map.entry("github-token", 1));
        assertThat(recording.file("terminal.raw")).hasContent("one ghp_" + "*".repeat(36) + " two\r\n");
        assertThat(Files.readAllLines(recording.file("MANIFEST")).getFirst())
                .startsWith("0 redacted " + old.substring(old.lastIndexOf(' ') + 1));
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        assertThat(service.redact(recording.id())).isEmpty();
        try (var files = Files.walk(folder)) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
                        .doesNotContain(SECRET.substring(8));
            }
        }
    }

    @Test
    void aReplayIsSteeredByKeys() throws Exception {
        var recording = session();
        print(recording, 3_600_000_000L, "an hour later\r\n");
        var out = new StringWriter();
        var keys = new ArrayList<>(List.of((int) ' ', (int) ' ', (int) ']', (int) '0', (int) 'q'));
        service.replay(
                recording.id(), new Replay.Options(1, null), out, millis -> keys.isEmpty() ? -1 : keys.removeFirst());
        assertThat(keys).isEmpty();
        assertThat(out.toString()).contains("$ make").doesNotContain("an hour later");

        var late = new StringWriter();
        service.replay(recording.id(), new Replay.Options(1, null, Duration.ofHours(1), null), late, millis -> -1);
        assertThat(late.toString()).contains("$ make", "an hour later");
    }

    @Test
    void pruningKeepsTheNewestAndWhatItIsToldTo() throws IOException {
        var one = session();
        service.end(one.id(), "closed");
        var two = session();
        service.end(two.id(), "closed");
        assertThat(service.prunable(Duration.ofHours(1), null, null)).isEmpty();
        assertThat(service.prunable(null, 1, null)).extracting(Recording::id).containsExactly(one.id());
        assertThat(service.prunable(null, null, 1L)).hasSize(2);
    }
}
