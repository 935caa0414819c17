package dev.hydravisor.recording;

import java.io.IOException;
import java.io.Writer;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes a recording as asciicast, one header line and one line an event. */
final class Cast {
    private Cast() {}

    /** Version 2: times since the start. */
    static void v2(Archive archive, Archive.Meta meta, Writer out) throws IOException, InterruptedException {
        var header = new LinkedHashMap<String, Object>();
        header.put("version", 2);
        header.put("width", meta.cols());
        header.put("height", meta.rows());
        header.put("timestamp", meta.start().getEpochSecond());
        header.put("duration", seconds(archive.lastMicros()));
        header.put("title", meta.title());
        header.put("env", Map.of("TERM", "tmux-256color"));
        line(out, header);
        Events.read(archive, (micros, code, data) -> line(out, List.of(seconds(micros), String.valueOf(code), data)));
    }

    /** Version 3: times since the event before. */
    static void v3(Archive archive, Archive.Meta meta, Writer out) throws IOException, InterruptedException {
        var terminal = new LinkedHashMap<String, Object>();
        terminal.put("cols", meta.cols());
        terminal.put("rows", meta.rows());
        terminal.put("type", "tmux-256color");
        var header = new LinkedHashMap<String, Object>();
        header.put("version", 3);
        header.put("term", terminal);
        header.put("timestamp", meta.start().getEpochSecond());
        header.put("title", meta.title());
        line(out, header);
        var before = new long[1];
        Events.read(archive, (micros, code, data) -> {
            var since = Math.max(0, micros - before[0]);
            before[0] += since;
            line(out, List.of(seconds(since), String.valueOf(code), data));
        });
    }

    private static BigDecimal seconds(long micros) {
        return BigDecimal.valueOf(micros, 6);
    }

    private static void line(Writer out, Object value) throws IOException {
        out.write(Archive.json(value));
        out.write('\n');
    }
}
