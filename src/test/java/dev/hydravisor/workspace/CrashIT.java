package dev.hydravisor.workspace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recorder.Recorder;
import dev.hydravisor.workspace.tmux.Tmux;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.util.FileSystemUtils;

/**
 * Kills, at random moments of a typing script, what takes part in a recording, or fills the disk. {@code -Dhydra.crash.runs=200} and
 * {@code -Dhydra.crash.seed=…} for more of them, and others.
 */
class CrashIT {
    private static final int RUNS = Integer.getInteger("hydra.crash.runs", 8);
    private static final long SEED = Long.getLong("hydra.crash.seed", System.nanoTime());
    /** What a crash may cost at most. */
    private static final long SECOND = 1_000_000_000;

    private enum Victim {
        HYDRAD,
        RECORDER,
        TMUX,
        DISK
    }

    /** Types lines a few characters at a time, secrets among them, and notes elsewhere when it had written which. */
    private static final String TYPIST = """
            use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC); use Digest::MD5 qw(md5_hex);
            $| = 1; open(my $witness, '>>', $ARGV[0]); $witness->autoflush(1);
            for (my $n = 1; ; $n++) {
                my $secret = $n % 9 == 0 ? substr(md5_hex("a$n$$") . md5_hex("b$n$$"), 0, 36) : '';
                $secret =~ tr/0-9a-f/G-V/; # no part of it is a part of some digest
                my $line = sprintf("tick %07d.%s\\r\\n", $n, $secret ? " export TOKEN=ghp_$secret" : "");
                print $witness "secret $secret\\n" if $secret;
                while (length $line) { print substr($line, 0, 1 + int(rand(12)), ''); sleep(rand(0.001)); }
                printf $witness "%d %d\\n", $n, clock_gettime(CLOCK_MONOTONIC) * 1e9;
            }
            """;

    private final Random random = new Random(SEED);
    private Path folder = Path.of("/");
    private Path home = Path.of("/");
    private @Nullable Process daemon;
    private @Nullable BufferedReader answers;
    private @Nullable Writer questions;
    private boolean mounted;

    @BeforeEach
    void start() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/perl")), "perl is installed");
        folder = Files.createTempDirectory(Path.of("/tmp"), "hc");
        home = Files.createDirectory(folder.resolve("h"));
        mounted = Processes.run(
                        Duration.ofSeconds(5),
                        List.of("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", home.toString()))
                .ok();
        Files.writeString(folder.resolve("typist.pl"), TYPIST);
        startDaemon();
    }

    @AfterEach
    void stop() throws Exception {
        killDaemon();
        try {
            tmux().run("kill-server");
        } catch (HydraException e) {
            // none runs
        }
        until(
                "the recorder's end",
                () -> pids(Recorder.class.getName()).isEmpty()
                        && pids(folder + "/").isEmpty());
        if (mounted) {
            Processes.require(Duration.ofSeconds(5), List.of("umount", home.toString()));
        }
        FileSystemUtils.deleteRecursively(folder);
    }

    @Test
    void everyArchiveIsWholeUpToTheLastSecondBeforeACrash() throws Exception {
        System.out.println("hydra.crash.seed=" + SEED);
        var victims = Victim.values();
        for (int run = 0; run < RUNS; run++) {
            var killed = EnumSet.of(victims[run % victims.length]);
            if (random.nextInt(3) == 0) {
                killed.add(victims[random.nextInt(victims.length)]);
            }
            if (!mounted) {
                killed.remove(Victim.DISK);
            }
            crash(run, killed);
        }
    }

    private void crash(int run, Set<Victim> killed) throws Exception {
        var what = "run " + run + " " + killed;
        var recording = ask("open web" + run);
        assertThat(recording).as(what).startsWith("session-");
        var archive = home.resolve("logs").resolve(recording);
        until(what + ": something recorded", () -> size(archive.resolve("terminal.raw")) > 0);
        Thread.sleep(random.nextInt(1500));
        assertThat(ask("say " + recording + " the hour is late")).isEqualTo("said");
        Thread.sleep(random.nextInt(1500));

        var from = System.nanoTime();
        for (var victim : killed) {
            switch (victim) {
                case HYDRAD -> killDaemon();
                // The one process, not the loop that starts it again.
                case RECORDER ->
                    pids(Recorder.class.getName()).stream()
                            .filter(pid -> read(Path.of("/proc", pid, "cmdline"))
                                    .split("\0", 2)[0]
                                    .endsWith("java"))
                            .forEach(CrashIT::kill);
                case TMUX -> kill(tmux().run("display-message", "-p", "#{pid}").strip());
                case DISK -> fill();
            }
        }
        var dead = System.nanoTime();
        Thread.sleep(random.nextInt(800));
        if (killed.contains(Victim.DISK)) {
            Thread.sleep(500);
            Files.deleteIfExists(home.resolve("filler"));
        }
        if (killed.contains(Victim.HYDRAD)) {
            startDaemon();
        }
        var room = System.nanoTime();
        if (!killed.contains(Victim.TMUX)) {
            // It goes on by itself.
            var last = ticks().getLast()[0];
            until(
                    what + ": the recording goes on",
                    () -> read(archive.resolve("terminal.raw")).contains("tick %07d.".formatted(last + 20)));
            assertThat(ask("say " + recording + " it goes on")).isEqualTo("said");
            assertThat(ask("close web" + run)).isEqualTo("closed");
        }
        until(what + ": its end", () -> ask("state " + recording).startsWith("ENDED"));

        assertThat(ask("verify " + recording)).as(what).isEqualTo("0 ");
        assertThat(archive.resolve("terminal.log")).as(what).isNotEmptyFile();
        assertThat(archive.resolve("terminal.cast")).as(what).isNotEmptyFile();
        var text = read(archive.resolve("terminal.raw"));
        var lost = new ArrayList<long[]>();
        for (var tick : ticks()) {
            if (!text.contains("tick %07d.".formatted(tick[0]))) {
                lost.add(tick);
            }
        }
        // What was printed after tmux was told to end, or died, is nobody's loss; a full disk has no room.
        var until =
                killed.contains(Victim.DISK) ? room + SECOND : killed.contains(Victim.RECORDER) ? dead + SECOND : dead;
        assertThat(lost.stream()
                        .filter(t -> t[1] < from - SECOND
                                || !killed.contains(Victim.TMUX) && t[1] > until && t[1] < room - SECOND))
                .as(what + ": lines lost other than around the crash")
                .isEmpty();
        System.out.println(Instant.now() + " " + what + ": " + ticks().size() + " lines, " + lost.size() + " lost"
                + (lost.isEmpty()
                        ? ""
                        : ", the first " + (lost.getFirst()[1] - from) / 1_000_000 + " ms from the crash"));
        noSecretIn(home.resolve("logs"), what);
        if (killed.equals(Set.of(Victim.HYDRAD))) {
            var kept = lost.stream().filter(t -> t[1] < room).toList();
            assertThat(kept).as(what + ": lines lost though only hydrad died").isEmpty();
        }
        Files.deleteIfExists(witness());
        FileSystemUtils.deleteRecursively(archive);
    }

    private void noSecretIn(Path logs, String what) throws IOException {
        var parts = new HashSet<String>();
        for (var line : Files.readAllLines(witness())) {
            if (line.startsWith("secret ")) {
                var secret = line.substring(7);
                for (int i = 0; i + 8 <= secret.length(); i++) {
                    parts.add(secret.substring(i, i + 8));
                }
            }
        }
        try (var files = Files.walk(logs)) {
            for (var file : files.filter(Files::isRegularFile)
                    .filter(f -> !f.endsWith("MANIFEST") && !f.endsWith("LEDGER"))
                    .toList()) {
                var text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
                for (int i = 0; i + 8 <= text.length(); i++) {
                    if (parts.contains(text.substring(i, i + 8))) {
                        throw new AssertionError(what + ": a part of a secret in " + file + " at " + i);
                    }
                }
            }
        }
    }

    private void fill() throws IOException {
        var block = new byte[64 * 1024];
        try (var out = Files.newOutputStream(home.resolve("filler"))) {
            for (int size = block.length; size > 0; size /= 2) {
                try {
                    while (true) {
                        out.write(block, 0, size);
                    }
                } catch (IOException full) {
                    // Perhaps a smaller one still fits.
                }
            }
        }
    }

    private Path witness() {
        return folder.resolve("witness");
    }

    /** Lines the script had written: number and time. */
    private List<long[]> ticks() throws IOException {
        return Files.readAllLines(witness()).stream()
                .map(l -> l.split(" ", -1))
                .filter(w -> w.length == 2 && w[0].matches("\\d+") && w[1].matches("\\d+"))
                .map(w -> new long[] {Long.parseLong(w[0]), Long.parseLong(w[1])})
                .toList();
    }

    private void startDaemon() throws IOException {
        var started = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        WorkspaceDaemon.class.getName(),
                        home.toString(),
                        folder.resolve("db").toString(),
                        "perl",
                        folder.resolve("typist.pl").toString(),
                        witness().toString())
                .redirectError(folder.resolve("daemon.log").toFile())
                .start();
        daemon = started;
        answers = started.inputReader();
        questions = started.outputWriter();
        assertThat(answer()).isEqualTo("ready");
    }

    private void killDaemon() {
        var process = daemon;
        if (process != null) {
            process.destroyForcibly().onExit().join();
        }
    }

    private String ask(String question) {
        try {
            var to = questions;
            if (to == null) {
                throw new AssertionError("no daemon");
            }
            to.write(question + "\n");
            to.flush();
            return answer();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String answer() throws IOException {
        var from = answers;
        while (from != null) {
            var line = from.readLine();
            if (line == null) {
                throw new AssertionError("the daemon ended: " + read(folder.resolve("daemon.log")));
            }
            if (line.startsWith("> ")) {
                return line.substring(2);
            }
            System.out.println(line);
        }
        throw new AssertionError("no daemon");
    }

    private Tmux tmux() {
        return new Tmux(new HydraHome(home));
    }

    /** The processes of this test's home with this in their command line. */
    private List<String> pids(String part) {
        return ProcessHandle.allProcesses()
                .map(p -> "" + p.pid())
                .filter(pid -> {
                    try {
                        var line = Files.readString(Path.of("/proc", pid, "cmdline"), StandardCharsets.ISO_8859_1);
                        return line.contains(part) && line.contains(home.toString());
                    } catch (IOException e) {
                        return false; // it has ended
                    }
                })
                .toList();
    }

    private static void kill(String pid) {
        Processes.run(Duration.ofSeconds(5), List.of("kill", "-9", pid));
    }

    private static long size(Path file) {
        return file.toFile().length();
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file, StandardCharsets.ISO_8859_1) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void until(String what, BooleanSupplier condition) throws InterruptedException {
        var limit = System.nanoTime() + Duration.ofSeconds(100).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("not within 100 s: " + what).isLessThan(limit);
            Thread.sleep(30);
        }
    }
}
