package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Recordings of real tmux panes by the real recorder. */
@ExtendWith(AsUser.class)
class RecordingIT {
    private static final Replay.Options AT_ONCE = new Replay.Options(Double.POSITIVE_INFINITY, null);

    @TempDir
    Path folder;

    private Tmux tmux = Tmux.start();
    private final List<Process> recorders = new ArrayList<>();
    private RecordingService service =
            new RecordingService(new HydraHome(Path.of("/")), Guards.in(new HydraHome(Path.of("/"))));

    @BeforeEach
    void start() {
        // A name that neither a shell nor tmux's formats may take apart.
        service = new RecordingService(home(), Guards.in(home()));
        service.start();
        startRecorder();
    }

    @AfterEach
    void stop() {
        tmux.close();
        for (var recorder : recorders) {
            recorder.destroyForcibly();
            recorder.onExit().join();
        }
    }

    private Process startRecorder() {
        try {
            var recorder =
                    new ProcessBuilder(service.recorderCommand()).inheritIO().start();
            recorders.add(recorder);
            return recorder;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private HydraHome home() {
        return new HydraHome(folder.resolve("it's #{x} 100% $(odd)"));
    }

    private Recording begin(int cols, int rows) {
        return service.begin(new Begin("web", "id-1", "vm", "debian-13", "", "ann", cols, rows, "web shell"));
    }

    /** Runs a shell script in a pane that is recorded from its first byte. */
    private Tmux.Pane run(Recording recording, String script) {
        return tmux.newSession(
                recording.cols(), recording.rows(), List.of("sh", "-c", script), service.relayCommand(recording));
    }

    private void waitUntilRecorded(Recording recording) {
        Tmux.eventually("the end of the recorder", () -> !service.capturing(recording.id()));
    }

    private String text(Recording recording) throws IOException {
        var text = new StringWriter();
        service.export(recording.id(), Format.TXT, text);
        return text.toString();
    }

    @Test
    void everyByteIsKeptAsTheProgramPrintedIt() throws IOException {
        var recording = begin(120, 40);
        var bytes = folder.resolve("bytes");
        var printed = new java.io.ByteArrayOutputStream();
        for (int i = 1; i <= 50_000; i++) {
            printed.writeBytes((i + "\r\n").getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        }
        printed.writeBytes("\033[1;38;2;10;200;30mcolour\033[0m 漢字 e\u0301 😀\r\n"
                .getBytes(java.nio.charset.StandardCharsets.UTF_8));
        printed.writeBytes(new byte[] {(byte) 0xFF, (byte) 0xC0, 0x00, (byte) 0x9B, '\r', '\n'});
        printed.writeBytes("\033[?1049hfull\033[?1049l\033]0;title\007\033Pq\033\\end\r\n"
                .getBytes(java.nio.charset.StandardCharsets.UTF_8));
        Files.write(bytes, printed.toByteArray());
        var pane = tmux.newSession(
                120,
                40,
                List.of("sh", "-c", "stty raw; cat \"$1\"", "sh", bytes.toString()),
                service.relayCommand(recording));
        pane.waitForEnd();
        pane.kill();
        waitUntilRecorded(recording);
        assertThat(recording.file("terminal.raw")).hasSameBinaryContentAs(bytes);
        assertThat(service.complaints(recording.id())).isEmpty();
        assertThat(text(recording))
                .startsWith(IntStream.rangeClosed(1, 50_000)
                                .mapToObj(Integer::toString)
                                .collect(Collectors.joining("\n"))
                        + "\ncolour 漢字 e\u0301 😀\n")
                .endsWith("end\n");
    }

    @Test
    void aReplayIntoAFreshPaneShowsTheSameScreen() throws IOException {
        var recording = begin(90, 25);
        var pane = tmux.newSession(90, 25, List.of("env", "PS1=$ ", "bash", "--norc"), service.relayCommand(recording));
        pane.waitFor("$");
        pane.line(
                "printf '\\033[31mred\\033[0m \\033[48;5;21mblue\\033[0m \\033[1;4;38;2;1;2;250mtrue\\033[0m 漢字 e\\314\\201\\n'");
        pane.waitFor("true 漢字");
        pane.line("ls --color=always -la / ; seq 1 200 | tail -5");
        pane.waitFor("200");
        pane.type("echo wrong").keys("C-a").type("#").keys("C-e").type("x").keys("BSpace", "BSpace", "Enter");
        pane.line("man() { seq 1 500 | less -R; }; man");
        Tmux.eventually("less", () -> pane.format("#{alternate_on}").equals("1"));
        pane.keys("Space", "Space", "b");
        pane.waitFor("48");
        compareWithReplay(recording, pane);
        pane.type("q").waitFor("$");
        pane.line("printf 'left\\033[10;40Hmiddle\\033(0lqqk\\033(B\\033[2;20r\\033[20;1Hregion'; echo done");
        pane.waitFor("done");
        compareWithReplay(recording, pane);
    }

    private void compareWithReplay(Recording recording, Tmux.Pane pane) throws IOException {
        Tmux.eventually("a quiet screen", () -> {
            var before = pane.screen();
            var recorded = readRaw(recording);
            try {
                Thread.sleep(300);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            return !recorded.isEmpty()
                    && readRaw(recording).equals(recorded)
                    && pane.screen().equals(before);
        });
        var file = folder.resolve("replayed");
        try (var out = Files.newBufferedWriter(file)) {
            service.replay(recording.id(), AT_ONCE, out);
        }
        // Without what a replay adds at its end: the screen as it stood then.
        var played = Files.readString(file);
        Files.writeString(file, played.substring(0, played.lastIndexOf('\u0018')));
        var fresh = tmux.newSession(
                recording.cols(),
                recording.rows(),
                List.of("sh", "-c", "stty raw -echo; cat \"$1\"; exec sleep 1000", "sh", file.toString()));
        fresh.waitFor("the same text", pane.screen()::equals, Tmux.PATIENCE);
        assertThat(fresh.attributes()).isEqualTo(pane.attributes());
        assertThat(fresh.format("#{cursor_x},#{cursor_y} #{alternate_on}"))
                .isEqualTo(pane.format("#{cursor_x},#{cursor_y} #{alternate_on}"));
        // The one thing that tmux itself writes otherwise: line drawing as its letters.
        try (var none = java.io.Writer.nullWriter()) {
            var plain = new ScreenText(none, recording.cols(), recording.rows());
            plain.feed(Files.readString(file));
            assertThat(plain.screen().replace("┌──┐", "lqqk").lines().map(String::stripTrailing))
                    .containsExactlyElementsOf(
                            pane.screen().lines().map(String::stripTrailing).toList());
        }
        fresh.kill();
    }

    @Test
    void aKilledRecorderLosesNothingThatWasPrintedMeanwhile() throws Exception {
        var recording = begin(80, 24);
        var pane = run(recording, "while read -r line; do echo \"got $line\"; done");
        pane.line("one").waitFor("got one");
        Tmux.eventually("the first line recorded", () -> readRaw(recording).contains("got one"));
        assertThat(service.find("web").state()).isEqualTo(Recording.State.RECORDING);
        recorders.getFirst().destroyForcibly().onExit().join();
        assertThat(service.find("web").state()).isEqualTo(Recording.State.CUT_OFF);
        // As a power cut could leave it.
        Files.writeString(recording.file("terminal.idx"), "12345", java.nio.file.StandardOpenOption.APPEND);
        pane.line("two").waitFor("got two");
        assertThat(pane.piped()).isTrue();
        assertThat(service.verify(recording.id()).problems()).isEmpty();
        startRecorder();
        Tmux.eventually("recording again", () -> readRaw(recording).contains("got two"));
        // What a pane printed last waits for the next recorder even when the pane is gone.
        recorders.getLast().destroyForcibly().onExit().join();
        pane.line("three").waitFor("got three");
        tmux.close();
        startRecorder();
        Tmux.eventually("the last line", () -> readRaw(recording).contains("got three"));
        waitUntilRecorded(recording);
        service.end(recording.id(), "the tmux server is gone");
        assertThat(recording.file("terminal.log"))
                .content()
                .contains("got one", "[gap: the recorder was restarted]", "got two", "got three");
        assertThat(service.verify(recording.id()).problems()).isEmpty();
    }

    @Test
    void aSecretNeverReachesTheDiskHoweverItArrives() throws Exception {
        var secret = "16C7e42F292c6912E7710c838347Ae178B4a";
        var recording = service.begin(new Begin("web", "id-1", "vm", "x", "", "ann", 50, 10, "title ghp_" + secret));
        var pane = tmux.newSession(50, 10, List.of("env", "PS1=$ ", "bash", "--norc"), service.relayCommand(recording));
        pane.waitFor("$");
        var typed = "export TOKEN=ghp_" + secret;
        for (char c : typed.toCharArray()) {
            pane.type(Character.toString(c));
        }
        pane.keys("Enter").line("echo $TOKEN; echo \"\\033]0;$TOKEN\\007\"; env | grep TOK; echo done");
        pane.waitFor("done\n");
        service.dialog(recording.id(), DialogEntry.message("user", null, "why does ghp_" + secret + " fail?"));
        service.mark(recording.id(), "tool_call", "assistant", "ls", Map.of("argv", List.of("ghp_" + secret)));
        pane.kill();
        waitUntilRecorded(recording);
        service.end(recording.id(), "closed");
        try (var files = Files.walk(folder)) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                assertThat(new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1))
                        .as(file.toString())
                        .doesNotContain(secret.substring(0, 8), secret.substring(12, 20), secret.substring(28));
            }
        }
        assertThat(readRaw(recording)).contains("done");
        assertThat(Files.readString(recording.file("terminal.idx"))).contains("redacted github-token");
        assertThat(service.verify(recording.id()).problems()).isEmpty();
    }

    @Test
    void logExistsAfterShutdownThoughNoDaemonSawItsEnd() throws IOException {
        var recording = begin(80, 24);
        run(recording, "echo last words; exec sleep 1000").waitFor("last words");
        tmux.close();
        waitUntilRecorded(recording);
        assertThat(recording.file("terminal.log")).doesNotExist();
        var next = new RecordingService(home(), Guards.in(home()));
        next.start();
        assertThat(recording.file("terminal.log")).content().contains("last words");
        var meta = next.find("web");
        assertThat(meta.state()).isEqualTo(Recording.State.CUT_OFF);
        next.end(recording.id(), "the tmux server is gone");
        assertThat(next.find("web").end()).isEqualTo(meta.end());
    }

    @Test
    void timesOfTheRecorderAndOfTheDaemonAreOneScale() throws Exception {
        var recording = begin(80, 24);
        var pane = run(recording, "while read -r line; do echo \"got $line\"; done");
        pane.line("first").waitFor("got first");
        Tmux.eventually("recorded", () -> readRaw(recording).contains("got first"));
        service.dialog(recording.id(), DialogEntry.message("user", null, "between"));
        service.resized(recording.id(), 100, 30);
        pane.line("second").waitFor("got second");
        pane.kill();
        waitUntilRecorded(recording);
        var cast = new StringWriter();
        service.export(recording.id(), Format.CAST, cast);
        var lines = cast.toString();
        assertThat(lines.indexOf("got first")).isBetween(0, lines.indexOf("between"));
        assertThat(lines.indexOf("between")).isLessThan(lines.indexOf("100x30"));
        assertThat(lines.indexOf("100x30")).isLessThan(lines.indexOf("got second"));
    }

    @Test
    void aRecordingIsNotDeletedWhileItIsMade() {
        var recording = begin(80, 24);
        var pane = run(recording, "echo up; exec sleep 1000");
        pane.waitFor("up");
        Tmux.eventually("recording", () -> service.capturing(recording.id()));
        assertThatThrownBy(() -> service.delete(recording.id()))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.CONFLICT));
        pane.kill();
        waitUntilRecorded(recording);
        service.delete(recording.id());
        assertThat(service.list()).isEmpty();
    }

    @Test
    void aFullDiskIsSaidAndTheRecorderKeepsReading() throws Exception {
        var small = Files.createDirectory(folder.resolve("small"));
        var mount = new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small.toString())
                .redirectErrorStream(true)
                .start();
        assumeTrue(mount.waitFor() == 0, "a small file system can be mounted here (needs root)");
        try {
            service = new RecordingService(new HydraHome(small), Guards.in(new HydraHome(small)));
            service.start();
            startRecorder();
            var recording = begin(80, 24);
            var filler = small.resolve("filler");
            var pane = run(recording, "read -r _; seq 1 100000; echo full; read -r _; echo room; exec sleep 1000");
            Tmux.eventually("recording", () -> service.capturing(recording.id()));
            Files.write(filler, new byte[64 * 1024]);
            pane.line("go").waitFor("full");
            Tmux.eventually(
                    "the complaint", () -> !service.complaints(recording.id()).isEmpty());
            assertThat(service.complaints(recording.id()).getFirst()).contains("No space left on device");
            assertThat(service.capturing(recording.id())).isTrue();
            // What is still on its way to the recorder would fill the room that is made.
            Thread.sleep(2000);
            Files.delete(filler);
            pane.line("on").waitFor("room");
            Tmux.eventually("recording again", () -> readRaw(recording).contains("room"));
            pane.kill();
            waitUntilRecorded(recording);
            var cast = new StringWriter();
            service.export(recording.id(), Format.CAST, cast);
            assertThat(cast.toString()).containsPattern("gap: \\d+ bytes lost");
        } finally {
            tmux.close();
            Tmux.eventually("no recorder", () -> service.list().stream().noneMatch(r -> service.capturing(r.id())));
            new ProcessBuilder("umount", small.toString()).start().waitFor();
        }
    }

    @Test
    void asciinemaPlaysTheExport() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/asciinema")), "asciinema is installed");
        var recording = begin(80, 24);
        var pane = run(recording, "printf '\\033[32mgreen\\033[0m 漢字\\n'; sleep 0.3; echo bye; exec sleep 1000");
        pane.waitFor("bye");
        service.dialog(recording.id(), DialogEntry.message("user", "ollama:tiny", "a marker"));
        service.resized(recording.id(), 81, 25);
        pane.kill();
        waitUntilRecorded(recording);
        var cast = folder.resolve("web.cast");
        service.export(recording.id(), Format.CAST, cast, false);
        // tmux does not always read the last words of a program that ends.
        var script = "asciinema \"$1\" \"$2\"; echo \"status $?\"; exec sleep 1000";
        var player = tmux.newSession(80, 24, List.of("sh", "-c", script, "sh", "play", cast.toString()));
        player.waitFor("status 0");
        assertThat(player.screen()).contains("green 漢字", "bye");
        assertThat(player.attributes()).contains("\033[32mgreen");
        var printer = tmux.newSession(80, 24, List.of("sh", "-c", script, "sh", "cat", cast.toString()));
        printer.waitFor("status 0");
        assertThat(printer.screen()).contains("green 漢字", "bye");
    }

    @Test
    void aBrowserShowsThePageAsItStoodOnTheTerminal() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/chromium")), "chromium is installed");
        assumeTrue(
                RecordingService.class.getResource("player/asciinema-player.min.js") != null, "built with the player");
        var recording = begin(60, 8);
        var pane = run(
                recording,
                "printf '\\033[32mgreen\\033[0m 漢字 <b>&amp;</script>\\n'; seq 20; printf '\\033[3;5Hmiddle\\033[1mbold\\033[0m'; exec sleep 1000");
        pane.waitFor("bold");
        Tmux.eventually("recorded", () -> readRaw(recording).contains("bold"));
        var screen = pane.screen().lines().map(String::strip).toList();
        pane.kill();
        waitUntilRecorded(recording);
        var page = folder.resolve("web.html");
        service.export(recording.id(), Format.HTML, page, false);
        var dom = dom(page);
        var shown = java.util.regex.Pattern.compile(
                        "<span class=\"ap-line\"[^>]*>(.*?)</span>(?=<span class=\"ap-line\"|</pre>)")
                .matcher(dom)
                .results()
                .map(m -> m.group(1)
                        .replaceAll("<[^>]*>", "")
                        .replace("&lt;", "<")
                        .replace("&amp;", "&")
                        .strip())
                .toList();
        assertThat(shown)
                .as(dom.substring(Math.max(0, dom.lastIndexOf("</script>"))))
                .isEqualTo(screen);
    }

    @Test
    void aBrowserShowsThePictureAsItStoodOnTheTerminal() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/chromium")), "chromium is installed");
        var recording = begin(60, 8);
        var pane = run(
                recording,
                "printf 'ready\\n'; read -r _; printf '\\033[32mgreen\\033[0m 漢字 <b>&amp;</text>\\n'; sleep 0.3; seq 20; sleep 0.3; printf '\\033[3;5Hmiddle\\033[1;44mbold\\033[0m'; exec sleep 1000");
        Tmux.eventually("it is recorded", () -> readRaw(recording).contains("ready"));
        pane.keys("Enter");
        pane.waitFor("bold");
        Tmux.eventually("recorded", () -> readRaw(recording).contains("bold"));
        var screen = pane.screen().lines().map(String::stripTrailing).toList();
        pane.kill();
        waitUntilRecorded(recording);
        var picture = folder.resolve("web.svg");
        service.export(recording.id(), Format.SVG, picture, false);
        // The browser is asked what stands where once the animation is at its end.
        var page = folder.resolve("page.html");
        Files.writeString(page, """
                <body>PICTURE<pre id=out></pre><script>
                onload = () => {
                  const svg = document, strip = svg.getElementById('strip');
                  const play = strip.getAnimations()[0];
                  play.currentTime = play.effect.getComputedTiming().duration - 1000;
                  const at = [];
                  for (const use of strip.querySelectorAll('use')) {
                    const group = use.parentNode.getCTM();
                    if (Math.abs(group.e - strip.parentNode.getCTM().e) < 1) {
                      const row = svg.querySelector(use.getAttribute('href'));
                      for (const t of row.querySelectorAll('text'))
                        at.push([use.y.baseVal.value / 18, Math.round(t.x.baseVal[0].value / 8.4), t.textContent, getComputedStyle(t).fontWeight]);
                    }
                  }
                  document.getElementById('out').textContent = JSON.stringify(at);
                };
                </script>""".replace("PICTURE", Files.readString(picture)));
        // By itself it is XML.
        javax.xml.parsers.DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(picture.toFile());
        var dom = dom(page);
        var json = dom.substring(dom.indexOf("<pre id=\"out\">") + 14, dom.indexOf("</pre>"))
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
        assertThat(json).contains("\"bold\",\"700\"");
        var shown = new ArrayList<String>(java.util.Collections.nCopies(8, ""));
        for (var run : Archive.JSON.readTree(json)) {
            var y = run.get(0).asInt();
            var width = org.jline.utils.WCWidth.wcwidth('漢')
                    * (int) shown.get(y).codePoints().filter(c -> c > 0x2E80).count();
            var columns = shown.get(y).length() + width / 2;
            shown.set(
                    y,
                    shown.get(y)
                            + " ".repeat(run.get(1).asInt() - columns)
                            + run.get(2).asString());
        }
        assertThat(shown.stream().map(String::stripTrailing)).as(dom).isEqualTo(screen);
        assertThat(Files.readString(picture))
                .contains("fill=\"#0dbc79\">green<", "font-weight=\"bold\">bold<", "translate(1008)");
    }

    @Test
    void aReplayLeavesTheTerminalAsItWas() throws Exception {
        var recording = begin(80, 24);
        var pane = run(
                recording,
                "printf 'before\\033[?1049h\\033[?25l\\033[?1003h\\033[?2004h\\033[31;44m\\033(0\\033[3;9r\\033]0;stolen\\007up\\033[c\\033[6n'; exec sleep 1000");
        Tmux.eventually("recorded", () -> readRaw(recording).contains("\033[6n"));
        pane.kill();
        waitUntilRecorded(recording);
        var file = folder.resolve("replayed");
        try (var out = Files.newBufferedWriter(file)) {
            service.replay(recording.id(), AT_ONCE, out);
        }
        var user = tmux.newSession(
                80,
                24,
                List.of(
                        "sh",
                        "-c",
                        "stty -echo; printf 'mine\\n'; cat \"$1\"; printf 'plain\\n'; exec cat -v",
                        "sh",
                        file.toString()));
        user.waitFor("plain");
        assertThat(user.format("#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{scroll_region_upper} #{pane_title}"))
                .startsWith("0 1 0 0 ")
                .doesNotContain("stolen");
        assertThat(user.attributes()).contains("mine", "plain").doesNotContain("\033[31");
        // No answer to the recorded queries was typed to the user's own program.
        assertThat(user.line("typed").waitFor("typed").screen()).doesNotContain("[?", "R");
    }

    private static String readRaw(Recording recording) {
        try {
            var raw = recording.file("terminal.raw");
            return Files.exists(raw)
                    ? new String(Files.readAllBytes(raw), java.nio.charset.StandardCharsets.UTF_8)
                    : "";
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** A page as it is once its scripts have run, in a browser without a network. */
    private String dom(Path page) {
        return dev.hydravisor.host.Processes.require(
                java.time.Duration.ofSeconds(60),
                List.of(
                        "chromium",
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--user-data-dir=" + folder.resolve("chromium"),
                        "--host-resolver-rules=MAP * ~NOTFOUND",
                        "--virtual-time-budget=5000",
                        "--dump-dom",
                        page.toUri().toString()));
    }
}
