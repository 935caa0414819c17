package dev.hydravisor.recording;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.env.AsUser;
import dev.hydravisor.env.Guards;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.host.HydraHome;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random terminal traffic, recorded by the real recorder and replayed into a fresh pane. {@code -Dhydra.traffic.rounds=200} and
 * {@code -Dhydra.traffic.seed=…} for more of it, and other.
 */
@ExtendWith(AsUser.class)
class TrafficIT {
    private static final int ROUNDS = Integer.getInteger("hydra.traffic.rounds", 6);
    private static final long SEED = Long.getLong("hydra.traffic.seed", 31_176_785_362_119L);
    private static final String STATE = "#{cursor_x},#{cursor_y} alternate=#{alternate_on} cursor=#{cursor_flag}"
            + " insert=#{insert_flag} wrap=#{wrap_flag} origin=#{origin_flag} region=#{scroll_region_upper}-#{scroll_region_lower}"
            + " #{pane_width}x#{pane_height}";

    private final Random random = new Random(SEED);

    @TempDir
    Path folder;

    private final Tmux tmux = Tmux.start();
    private final List<Process> started = new ArrayList<>();
    private RecordingService service =
            new RecordingService(new HydraHome(Path.of("/")), Guards.in(new HydraHome(Path.of("/"))));

    @BeforeEach
    void start() throws IOException {
        System.out.println("hydra.traffic.seed=" + SEED);
        var home = new HydraHome(folder.resolve("home"));
        service = new RecordingService(home, Guards.in(home));
        service.start();
    }

    /** It ends by itself when there has been nothing to record for a while. */
    private void startRecorder() {
        if (started.isEmpty() || !started.getLast().isAlive()) {
            try {
                started.add(new ProcessBuilder(service.recorderCommand())
                        .inheritIO()
                        .start());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    @AfterEach
    void stop() {
        tmux.close();
        for (var process : started) {
            process.destroyForcibly().onExit().join();
        }
    }

    /** A pane that prints what is written to it, and a file that holds all that tmux has taken of it. */
    private record Printer(Tmux.Pane pane, OutputStream to, Path taken) {
        void print(byte[] bytes) throws IOException {
            to.write(bytes);
            to.flush();
        }

        void waitFor(long size) {
            Tmux.eventually(
                    "the terminal has taken " + size + " bytes",
                    () -> taken.toFile().length() >= size);
        }
    }

    private Printer printer(String name, int cols, int rows, List<String> reader, Path taken) throws Exception {
        var pipe = folder.resolve(name + ".pipe");
        new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor();
        var pane = tmux.newSession(
                cols, rows, List.of("sh", "-c", "stty raw -echo; exec cat \"$1\"", "sh", pipe.toString()), reader);
        return new Printer(pane, Files.newOutputStream(pipe), taken);
    }

    @Test
    void whateverATerminalPrintsAReplayShowsTheSameScreen() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            var cols = 20 + random.nextInt(120);
            var rows = 6 + random.nextInt(40);
            var recording = service.begin(new Begin("web", "id", "vm", "x", "", "ann", cols, rows, "web"));
            var raw = recording.file("terminal.raw");
            long printed = 0;
            var printer = printer("live" + round, cols, rows, service.relayCommand(recording), raw);
            var pane = printer.pane();
            try (var live = printer.to()) {
                for (int part = 0; part < 6; part++) {
                    var bytes = traffic(part == 5 && round % 3 == 0 ? 1 << 20 : 400 + random.nextInt(3000));
                    for (int at = 0; at < bytes.length; ) {
                        var to = Math.min(bytes.length, at + 1 + random.nextInt(bytes.length > 9999 ? 99_999 : 600));
                        live.write(bytes, at, to - at);
                        live.flush();
                        at = to;
                    }
                    printed += bytes.length;
                    var all = printed;
                    Tmux.eventually("all of " + all + " bytes recorded", () -> {
                        startRecorder(); // it may end the moment before
                        return raw.toFile().length() >= all;
                    });
                    if (random.nextInt(3) == 0) {
                        var newCols = 20 + random.nextInt(120);
                        var newRows = 6 + random.nextInt(40);
                        pane.resize(newCols, newRows);
                        service.resized(recording.id(), newCols, newRows);
                    }
                }
                replay(round, recording, pane, data -> data);
                var filter = new Replay.Filter();
                replay(round + 1000, recording, pane, filter::pass);
                pane.kill();
            }
            service.end(recording.id(), "over");
            assertThat(service.verify(recording.id()).problems()).isEmpty();
            service.delete(recording.id());
        }
    }

    /** @param by what passes the output on: as it is, or as `recording replay` does */
    private void replay(int round, Recording recording, Tmux.Pane pane, UnaryOperator<String> by) throws Exception {
        var taken = folder.resolve("taken" + round);
        var fresh = printer(
                "fresh" + round,
                recording.cols(),
                recording.rows(),
                List.of("sh", "-c", "cat >\"$1\"", "sh", taken.toString()),
                taken);
        var written = new long[1];
        Events.read(new Archive(Path.of(recording.folder())), (_, code, data) -> {
            if (code == 'o') {
                var bytes = by.apply(data).getBytes(StandardCharsets.UTF_8);
                fresh.print(bytes);
                written[0] += bytes.length;
            } else if (code == 'r') {
                fresh.waitFor(written[0]);
                var at = data.indexOf('x');
                fresh.pane().resize(Integer.parseInt(data.substring(0, at)), Integer.parseInt(data.substring(at + 1)));
            }
        });
        fresh.waitFor(written[0]);
        var limit = System.nanoTime() + Duration.ofSeconds(2).toNanos();
        while (!fresh.pane().attributes().equals(pane.attributes()) && System.nanoTime() < limit) {
            Thread.sleep(20);
        }
        assertThat(fresh.pane().attributes()).as("round " + round).isEqualTo(pane.attributes());
        assertThat(fresh.pane().format(STATE)).as("round " + round).isEqualTo(pane.format(STATE));
        fresh.pane().kill();
        fresh.to().close();
    }

    @Test
    void secretsPlantedAtRandomSplitsNeverReachTheDisk() throws Exception {
        var recording = service.begin(new Begin("web", "id", "vm", "x", "", "ann", 70, 20, "web"));
        var secrets = new ArrayList<String>();
        startRecorder();
        var printer = printer("planted", 70, 20, service.relayCommand(recording), recording.file("terminal.raw"));
        for (int i = 0; i < 5 * ROUNDS; i++) {
            printer.print(traffic(random.nextInt(300)));
            var secret = new StringBuilder();
            for (int c = 0; c < 36; c++) {
                secret.append("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789".charAt(random.nextInt(54)));
            }
            secrets.add(secret.toString());
            // A fresh screen: where nobody can tell what stands together, neither can a reader.
            var line = ("\033c\033[?1049l\r\nexport TOKEN=ghp_" + secret + "\r\n").getBytes(StandardCharsets.UTF_8);
            for (int at = 0; at < line.length; ) {
                var to = Math.min(line.length, at + 1 + random.nextInt(12));
                printer.print(java.util.Arrays.copyOfRange(line, at, to));
                at = to;
                if (random.nextBoolean()) {
                    Thread.sleep(1);
                }
            }
        }
        printer.pane().kill();
        printer.to().close();
        Tmux.eventually("the end of the recording", () -> !service.capturing(recording.id()));
        service.end(recording.id(), "over");
        try (var files = Files.walk(folder.resolve("home"))) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                var text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
                for (var secret : secrets) {
                    for (int i = 0; i + 8 <= secret.length(); i += 4) {
                        assertThat(text.contains(secret.substring(i, i + 8)))
                                .as("%s in %s", secret.substring(i, i + 8), file)
                                .isFalse();
                    }
                }
            }
        }
        assertThat(service.redactions(recording.id()).values().stream()
                        .mapToInt(n -> n)
                        .sum())
                .isGreaterThanOrEqualTo(secrets.size());
    }

    /** Some bytes of all that ECMA-48 and xterm know, ending in no sequence's middle and on a line of its own. */
    private byte[] traffic(int length) {
        var text = new StringBuilder();
        while (text.length() < length) {
            switch (random.nextInt(length > 9999 ? 400 : 14)) {
                case 0 -> text.append(pick("漢字", "e\u0301", "😀", "é", "ｗ", "a\u0300\u0301", "한", "—", "\u2500"));
                case 1 ->
                    text.append(
                            pick("\r\n", "\r", "\n", "\b", "\t", "\u000b", "\f", "\u000e", "\u000f", "\u0007", "\0"));
                case 2, 3 -> csi(text);
                case 4 -> sgr(text);
                case 5 ->
                    text.append("\033")
                            .append(pick(
                                    "7", "8", "D", "E", "H", "M", "=", ">", "(0", "(B", ")0", "Z", "#8", "N", "O", "n",
                                    "~"));
                case 6 ->
                    text.append("\033]")
                            .append(pick(
                                    "0;title",
                                    "2;x",
                                    "8;;https://x/",
                                    "8;;",
                                    "4;1;rgb:11/22/33",
                                    "11;?",
                                    "52;c;aGk=",
                                    "133;A",
                                    "10;red",
                                    "112",
                                    "7;file:///x"))
                            .append(pick("\007", "\033\\"));
                case 7 ->
                    text.append("\033")
                            .append(pick("P1$r0m", "Pq#0;2;0;0;0", "_Gi=1", "^pm", "Xsos", "P+q544e", "P"))
                            .append(pick("\033\\", "\033\\", "\u0018"));
                case 8 ->
                    text.append(pick(
                            "\033[?1049h",
                            "\033[?1049l",
                            "\033[?47h",
                            "\033[?47l",
                            "\033[?25l",
                            "\033[?25h",
                            "\033[?7l",
                            "\033[?7h",
                            "\033[?6h",
                            "\033[?6l",
                            "\033[4h",
                            "\033[4l",
                            "\033[?1003h",
                            "\033[?2004h",
                            "\033[?5h",
                            "\033[!p"));
                case 9 ->
                    text.append(pick("\033", "\033[", "\033[12;", "\033]0;cut")).append(pick("\u0018", "\u001a"));
                default -> {
                    for (int i = random.nextInt(12); i >= 0; i--) {
                        text.append("abcdefghijklm nopqrstuvwxyz0123456789 #$%".charAt(random.nextInt(41)));
                    }
                }
            }
        }
        return text.append("\u0018\r\n").toString().getBytes(StandardCharsets.UTF_8);
    }

    private void csi(StringBuilder text) {
        text.append("\033[");
        if (random.nextInt(5) == 0) {
            text.append(pick("?", ">", "="));
        }
        for (int i = random.nextInt(4); i > 0; i--) {
            text.append(random.nextInt(4) == 0 ? "" : "" + random.nextInt(random.nextInt(10) == 0 ? 9999 : 60))
                    .append(i > 1 ? ";" : "");
        }
        if (random.nextInt(12) == 0) {
            text.append(pick(" ", "!", "$", "'"));
        }
        text.append((char) (0x40 + random.nextInt(0x3F)));
    }

    private void sgr(StringBuilder text) {
        text.append("\033[")
                .append(pick(
                        "",
                        "0",
                        "1",
                        "2",
                        "3",
                        "4",
                        "4:3",
                        "5",
                        "7",
                        "8",
                        "9",
                        "21",
                        "22",
                        "24",
                        "27",
                        "53",
                        "31",
                        "44",
                        "95",
                        "106",
                        "39",
                        "49",
                        "38;5;" + random.nextInt(256),
                        "48;2;1;2;" + random.nextInt(256),
                        "1;4;38:2::9:8:7",
                        "58;5;9"))
                .append('m');
    }

    private String pick(String... of) {
        return of[random.nextInt(of.length)];
    }
}
