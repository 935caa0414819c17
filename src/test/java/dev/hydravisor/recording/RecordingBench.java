package dev.hydravisor.recording;

import dev.hydravisor.env.Guards;
import dev.hydravisor.env.Tmux;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.Request;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;

/**
 * What {@code bin/bench recording} prints: {@code FOLDER ROUNDS MEGABYTES RECORDINGS}. CPU is user and system time of the tmux server
 * and of all that records, while a pane prints a file.
 */
final class RecordingBench {
    private static final int HERTZ = 100;

    private final Path folder;
    private final RecordingService service;
    private final Path text;
    private final long expected;

    private RecordingBench(Path folder, int megabytes) throws IOException {
        this.folder = folder;
        var home = new HydraHome(folder.resolve("home"));
        service = new RecordingService(home, Guards.in(home));
        service.start();
        text = folder.resolve("text");
        expected = print(text, megabytes * 1_000_000L);
    }

    public static void main(String[] args) throws Exception {
        var bench = new RecordingBench(Path.of(args[0]), Integer.parseInt(args[2]));
        Request.of(Actor.user(System.getProperty("user.name"))).call(() -> {
            bench.capture(Integer.parseInt(args[1]));
            return null;
        });
        bench.search(Integer.parseInt(args[3]));
        bench.seek();
        System.exit(0);
    }

    /** What was measured of a way to record: seconds of CPU, of wall time, and the peak of memory in MB. */
    private record Cost(double tmux, double recorder, double wall, double memory) {
        double cpu() {
            return tmux + recorder;
        }
    }

    private void capture(int rounds) throws Exception {
        List<Cost> cat = new ArrayList<>();
        List<Cost> hydra = new ArrayList<>();
        List<Cost> asciinema = new ArrayList<>();
        long lost = 0;
        for (int i = 0; i < rounds; i++) {
            var file = folder.resolve("cat" + i);
            cat.add(run(List.of("sh", "-c", "exec cat >\"$1\"", "sh", file.toString()), List.of(), file));
            Files.delete(file);

            var recording = service.begin(new Begin("web", "id", "vm", "x", "", "ann", 120, 40, "web"));
            var recorder =
                    new ProcessBuilder(service.recorderCommand()).inheritIO().start();
            hydra.add(run(service.relayCommand(recording), List.of(recorder), recording.file("terminal.raw")));
            lost += Math.abs(expected - Files.size(recording.file("terminal.raw")));
            until(() -> !service.capturing(recording.id()));
            service.delete(recording.id());
            recorder.destroyForcibly().waitFor();

            asciinema.add(asciinema(folder.resolve("asciinema" + i)));
        }
        row("recording at full rate, bytes lost", lost, "", "", Double.NaN, "0");
        row(
                "  CPU, tmux and recorder",
                median(hydra, Cost::cpu),
                "s",
                "pipe-pane 'cat >f'",
                median(cat, Cost::cpu),
                "<= 1.5 x");
        row("  CPU, recorder alone", median(hydra, Cost::recorder), "s", "cat alone", median(cat, Cost::recorder), "");
        row(
                "  CPU, tmux and recorder",
                median(hydra, Cost::cpu),
                "s",
                "asciinema rec",
                median(asciinema, Cost::cpu),
                "");
        row("  wall time", median(hydra, Cost::wall), "s", "pipe-pane 'cat >f'", median(cat, Cost::wall), "");
        row("  wall time", median(hydra, Cost::wall), "s", "asciinema rec", median(asciinema, Cost::wall), "");
        row(
                "  recorder, peak RSS",
                median(hydra, Cost::memory),
                "MB",
                "asciinema rec",
                median(asciinema, Cost::memory),
                "");
    }

    /** Prints the text in a pane whose output goes to a recorder, until all of it is in the file. */
    private Cost run(List<String> relay, List<Process> recorders, Path file) throws Exception {
        try (var tmux = Tmux.start()) {
            var pane = tmux.newSession(
                    120,
                    40,
                    List.of("sh", "-c", "stty -echo; read -r _; cat \"$1\"; exec sleep 1000", "sh", text.toString()),
                    relay);
            var server = tmux.pid();
            until(() -> !children(server, pane.pid()).isEmpty());
            if (!recorders.isEmpty()) {
                until(() -> service.find("web").state() == Recording.State.RECORDING);
            }
            Thread.sleep(1000);
            var processes = new ArrayList<>(children(server, pane.pid()));
            recorders.forEach(p -> processes.add(p.pid()));
            var before = new double[] {cpu(server), sum(processes)};
            var start = System.nanoTime();
            pane.keys("Enter");
            until(() -> file.toFile().length() >= expected);
            var wall = (System.nanoTime() - start) / 1e9;
            return new Cost(
                    cpu(server) - before[0],
                    sum(processes) - before[1],
                    wall,
                    processes.stream().mapToDouble(RecordingBench::peak).max().orElse(0));
        }
    }

    private Cost asciinema(Path file) throws Exception {
        try (var tmux = Tmux.start()) {
            var pane = tmux.newSession(
                    120,
                    40,
                    List.of(
                            "asciinema",
                            "rec",
                            "-q",
                            "-c",
                            "read _; cat " + text + "; echo THE-END; sleep 1000",
                            file.toString()));
            var server = tmux.pid();
            until(() -> Files.exists(file));
            Thread.sleep(1000);
            var before = new double[] {cpu(server), cpu(pane.pid())};
            var start = System.nanoTime();
            pane.keys("Enter");
            until(() -> pane.screen().contains("THE-END"));
            return new Cost(
                    cpu(server) - before[0],
                    cpu(pane.pid()) - before[1],
                    (System.nanoTime() - start) / 1e9,
                    peak(pane.pid()));
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private void search(int recordings) throws Exception {
        var first = service.begin(new Begin("web", "id", "vm", "x", "", "ann", 120, 40, "web"));
        print(first.file("terminal.raw"), 1_000_000);
        Files.writeString(first.file("terminal.idx"), "1000 0\n");
        service.end(first.id(), "closed");
        for (int i = 1; i < recordings; i++) {
            var copy = folder.resolve("home/logs/session-20260101T000000Z-" + i);
            Files.createDirectory(copy);
            for (var name : List.of("meta.json", "terminal.raw", "terminal.idx", "terminal.log")) {
                Files.copy(first.file(name), copy.resolve(name));
            }
        }
        var needle = Path.of(first.folder())
                .resolveSibling("session-20260101T000000Z-1")
                .resolve("terminal.raw");
        if (Files.exists(needle)) {
            Files.writeString(needle, "the needle\r\n", java.nio.file.StandardOpenOption.APPEND);
            Files.writeString(
                    needle.resolveSibling("terminal.log"), "the needle\n", java.nio.file.StandardOpenOption.APPEND);
        }
        var gigabytes = recordings / 1000.0;
        var start = System.nanoTime();
        var hit = new double[2];
        service.search(new Search.Query(Pattern.compile("the needle|line 00000007 "), null, null, null), h -> {
            hit[0] = hit[0] == 0 ? (System.nanoTime() - start) / 1e6 : hit[0];
        });
        row("search in " + recordings + " recordings, first hit", hit[0], "ms", "", Double.NaN, "");
        var again = System.nanoTime();
        service.search(new Search.Query(Pattern.compile("the needle"), null, null, null), _ -> hit[1]++);
        row(
                String.format(Locale.ROOT, "  one hit in %.1f GB, all of them read", gigabytes),
                (System.nanoTime() - again) / 1e9,
                "s",
                "",
                Double.NaN,
                "");
        if (hit[1] != 1 && recordings > 1) {
            throw new IllegalStateException(hit[1] + " hits");
        }
    }

    private void seek() throws Exception {
        var recording = service.begin(new Begin("long", "id", "vm", "x", "", "ann", 120, 40, "long"));
        var raw = new StringBuilder();
        var index = new StringBuilder();
        for (int second = 0; second < 7200; second++) {
            for (int tenth = 0; tenth < 10; tenth++) {
                index.append(second * 1_000_000L + tenth * 100_000L)
                        .append(' ')
                        .append(raw.length())
                        .append('\n');
                raw.append("\033[3")
                        .append(tenth % 8)
                        .append("mline ")
                        .append(second)
                        .append(" of what a program printed\033[0m\r\n");
            }
        }
        Files.writeString(recording.file("terminal.raw"), raw);
        Files.writeString(recording.file("terminal.idx"), index);
        for (var minutes : List.of(10, 60, 119)) {
            var start = System.nanoTime();
            try (var none = Writer.nullWriter()) {
                service.replay(
                        recording.id(), new Replay.Options(1, null, Duration.ofMinutes(minutes), null), none, _ -> 'q');
            }
            row("seek to minute " + minutes + " of 120", (System.nanoTime() - start) / 1e6, "ms", "", Double.NaN, "");
        }
    }

    /** Lines such as a build prints; how many bytes a terminal makes of them. */
    private static long print(Path file, long size) throws IOException {
        var random = new Random(1);
        long printed = 0;
        try (var out = Files.newBufferedWriter(file, StandardCharsets.US_ASCII)) {
            for (int i = 0; printed < size; i++) {
                var line = String.format(
                        Locale.ROOT,
                        "2026-01-31T10:15:%02d line %08d [main] info: compiled /src/module%d/File%x.c in %d ms",
                        i % 60,
                        i,
                        i % 17,
                        random.nextInt(),
                        random.nextInt(1000));
                out.write(line);
                out.write('\n');
                printed += line.length() + 2;
            }
        }
        return printed;
    }

    private static List<Long> children(long server, long pane) {
        return ProcessHandle.of(server).stream()
                .flatMap(ProcessHandle::descendants)
                .map(ProcessHandle::pid)
                .filter(pid -> pid != pane)
                .toList();
    }

    private static double sum(List<Long> pids) {
        return pids.stream().mapToDouble(RecordingBench::cpu).sum();
    }

    private static double cpu(long pid) {
        try {
            var stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            var fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Double.parseDouble(fields[11]) + Double.parseDouble(fields[12])) / HERTZ;
        } catch (IOException e) {
            return 0;
        }
    }

    private static double peak(long pid) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                    .filter(l -> l.startsWith("VmHWM:"))
                    .mapToDouble(l -> Double.parseDouble(l.replaceAll("\\D", "")) / 1024)
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }

    private static double median(List<Cost> costs, java.util.function.ToDoubleFunction<Cost> what) {
        var all = costs.stream().mapToDouble(what).toArray();
        Arrays.sort(all);
        return all[all.length / 2];
    }

    private static void row(String what, double ours, String unit, String peer, double theirs, String budget) {
        System.out.printf(
                Locale.ROOT,
                "%-44s %9.2f %-3s  %-26s %9s  %8s  %s%n",
                what,
                ours,
                unit,
                peer.isEmpty() ? "-" : peer,
                Double.isNaN(theirs) ? "-" : String.format(Locale.ROOT, "%.2f", theirs),
                Double.isNaN(theirs) ? "-" : String.format(Locale.ROOT, "%.2f x", ours / theirs),
                budget);
    }

    private static void until(BooleanSupplier condition) throws InterruptedException {
        var limit = System.nanoTime() + Duration.ofMinutes(5).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > limit) {
                throw new IllegalStateException("it takes more than 5 minutes");
            }
            Thread.sleep(20);
        }
    }
}
