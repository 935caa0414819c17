package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.host.HydraHome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What is written is what docs/schema says. */
@ExtendWith(AsUser.class)
class SchemaTest {
    @TempDir
    Path folder;

    private static Schema schema(String name) throws IOException {
        return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                .getSchema(Files.readString(Path.of("docs", "schema", name)));
    }

    private static void check(Recording recording) throws IOException {
        var meta = Files.readString(recording.file("meta.json"));
        assertThat(schema("recording-meta.schema.json").validate(meta, InputFormat.JSON))
                .as(meta)
                .isEmpty();
        for (var line : Files.readAllLines(recording.file("dialog.jsonl"))) {
            assertThat(schema("recording-dialog.schema.json").validate(line, InputFormat.JSON))
                    .as(line)
                    .isEmpty();
        }
    }

    @Test
    void everyArchiveIsAsTheSchemasSay() throws IOException {
        var service = new RecordingService(new HydraHome(folder), Guards.in(new HydraHome(folder)));
        service.start();
        var recording = service.begin(new Begin("web", "id-1", "vm", "debian-13", "", "ann", 80, 24, "web shell"));
        service.dialog(
                recording.id(), DialogEntry.message("user", "ollama:llama3.2", "token: ghp_" + "a1B2".repeat(9)));
        service.mark(recording.id(), "tool_call", "assistant", "ls", Map.of("argv", List.of("ls", "-l")));
        check(recording);
        Files.writeString(recording.file("terminal.raw"), "hello\r\n");
        Files.writeString(recording.file("terminal.idx"), "1000 0\n");
        service.end(recording.id(), "closed");
        check(recording);
        assertThat(Files.readString(recording.file("meta.json"))).contains("\"kernel\"", "ollama:llama3.2");

        var cast = folder.resolve("a.cast");
        Files.writeString(cast, """
                {"version": 2, "width": 80, "height": 24}
                [0.1, "o", "hi"]
                [0.2, "m", "there"]
                """);
        check(service.importCast(cast, "ann"));
        service.redact(recording.id());
        check(recording);
    }

    @Test
    void whatTheSchemaDoesNotKnowIsFound() throws IOException {
        assertThat(schema("recording-dialog.schema.json")
                        .validate("{\"seq\": 0, \"surprise\": true}", InputFormat.JSON))
                .isNotEmpty();
    }
}
