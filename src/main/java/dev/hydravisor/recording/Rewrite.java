package dev.hydravisor.recording;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recorder.Redactor;
import dev.hydravisor.recorder.Rules;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Writes the terminal's files of a recording that is no pane's: of another recording, or of a foreign cast. */
final class Rewrite implements Redactor.Sink, AutoCloseable {
    private final OutputStream raw;
    private final Writer index;
    private final Redactor redactor;
    private long size;
    private long last = -1;

    Rewrite(Archive to, Rules rules, int cols) throws IOException {
        raw = Files.newOutputStream(to.file(Archive.RAW));
        index = Files.newBufferedWriter(to.file(Archive.INDEX));
        redactor = new Redactor(rules, cols, this);
    }

    @Override
    public void write(long micros, byte[] bytes, int offset, int length) throws IOException {
        if (micros != last) {
            index.write(micros + " " + size + "\n");
            last = micros;
        }
        raw.write(bytes, offset, length);
        size += length;
    }

    @Override
    public void redacted(long micros, String rule) throws IOException {
        index.write(micros + " " + size + " redacted " + rule + "\n");
    }

    void output(long micros, byte[] bytes) throws IOException {
        redactor.feed(micros, bytes, bytes.length);
    }

    void resize(int cols) {
        redactor.resize(cols);
    }

    @Override
    public void close() throws IOException {
        try (raw;
                index) {
            redactor.finish();
        }
    }

    /** Takes an index line over as it is: a gap, the end, or what was redacted before. */
    void line(long micros, String rest) throws IOException {
        index.write(micros + " " + size + " " + rest + "\n");
    }

    /** What the first line of a cast says. */
    record Header(int version, int cols, int rows, long timestamp, String title) {
        static Header read(String line) {
            try {
                var header = Archive.JSON.readTree(line);
                var version = header.path("version").asInt(0);
                if (version != 2 && version != 3) {
                    throw HydraException.usage(
                            "only asciicast 2 and 3 can be imported; convert it with `asciinema convert`");
                }
                var size = version == 3 ? header.path("term") : header;
                return new Header(
                        version,
                        size.path(version == 3 ? "cols" : "width").asInt(80),
                        size.path(version == 3 ? "rows" : "height").asInt(24),
                        header.path("timestamp").asLong(0),
                        header.path("title").asString(""));
            } catch (JacksonException e) {
                throw notACast(e);
            }
        }
    }

    /** Takes the events of a foreign cast; its markers are given as asides, with its resizes. */
    void take(Header header, BufferedReader cast, List<Archive.Aside> asides) throws IOException {
        long micros = 0;
        for (var line = cast.readLine(); line != null; line = cast.readLine()) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            JsonNode event;
            try {
                event = Archive.JSON.readTree(line);
            } catch (JacksonException e) {
                throw notACast(e);
            }
            if (!event.isArray() || event.size() < 3) {
                throw notACast(null);
            }
            var time = (long) (event.get(0).asDouble(0) * 1e6);
            micros = header.version() == 3 ? micros + Math.max(0, time) : Math.max(micros, time);
            var data = event.get(2).asString("");
            switch (event.get(1).asString("")) {
                case "o" -> output(micros, data.getBytes(StandardCharsets.UTF_8));
                case "r" -> {
                    if (!data.matches("\\d{1,4}x\\d{1,4}")) {
                        throw notACast(null);
                    }
                    resize(Integer.parseInt(data.substring(0, data.indexOf('x'))));
                    asides.add(new Archive.Aside(micros, 'r', data));
                }
                case "m" -> asides.add(new Archive.Aside(micros, 'm', data));
                default -> {}
            }
        }
        line(micros, "end");
    }

    private static HydraException notACast(@org.jspecify.annotations.Nullable Exception cause) {
        var text = "the file is no asciicast; give one that `asciinema rec` wrote";
        return cause == null ? HydraException.usage(text) : HydraException.failed(text, cause);
    }
}
