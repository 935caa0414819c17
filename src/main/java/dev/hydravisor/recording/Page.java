package dev.hydravisor.recording;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;

/** Writes a recording as one HTML page with asciinema's player and the cast in it; it asks the network for nothing. */
final class Page {
    private Page() {}

    static void write(Archive archive, Archive.Meta meta, Writer out) throws IOException, InterruptedException {
        var cast = new StringWriter();
        Cast.v3(archive, meta, cast);
        out.write("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
        out.write(escape(PlainText.safe(meta.title())));
        out.write("</title>\n<style>\nbody { background: #121314; margin: 1em }\n");
        out.write(resource("asciinema-player.css"));
        out.write("</style>\n</head>\n<body>\n<div id=\"player\"></div>\n<script>\n");
        out.write(resource("asciinema-player.min.js"));
        out.write("\n</script>\n<script>\nAsciinemaPlayer.create({ data: ");
        // Nothing recorded may end the script: JSON allows any character to be written so.
        out.write(Archive.json(cast.toString())
                .replace("<", "\\u003c")
                .replace("\u2028", "\\u2028")
                .replace("\u2029", "\\u2029"));
        // Before it is played it shows how it ended. Times are those of the page: with its pauses cut short.
        out.write(" }, document.getElementById(\"player\"), { fit: \"both\", idleTimeLimit: 2, poster: \"npt:"
                + (archive.lastMicros() / 1_000_000 + 1) + "\" });\n</script>\n</body>\n</html>\n");
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;");
    }

    private static String resource(String name) throws IOException {
        try (var in = Page.class.getResourceAsStream("player/" + name)) {
            if (in == null) {
                throw HydraException.failed("this build has no player for pages (`" + name
                        + "`); build hydra with bin/build where npm is installed, or export another format");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
