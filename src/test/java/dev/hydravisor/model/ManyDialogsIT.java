package dev.hydravisor.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hydravisor.env.Hydra;
import dev.hydravisor.standin.StandInProcess;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Many dialogs at once in one daemon, each by a client of its own: none hears another, and what they took is given back.
 * {@code -Dhydra.dialogs.seconds=300} lets them talk for five minutes.
 */
class ManyDialogsIT {
    private static final int DIALOGS = 50;
    private static final Duration LENGTH = Duration.ofSeconds(Integer.getInteger("hydra.dialogs.seconds", 15));
    private static final Pattern USED = Pattern.compile("(?:DefNew|Tenured) .*?used ([0-9]+)K");

    /** Bytes of heap in use after a collection, threads, open files. */
    private record Load(long heap, long threads, long files) {}

    @Test
    void fiftyDialogsAtOnceNeitherMixNorLeak() throws Exception {
        try (var ollama = StandInProcess.start();
                var hydra = Hydra.start(Map.of("OLLAMA_HOST", ollama.url()));
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            talk(hydra, threads, 5, "warm-", Duration.ofSeconds(2)).forEach(Talk::close);
            var before = load(hydra);

            var first = talk(hydra, threads, DIALOGS, "many-", Duration.ofSeconds(1));
            var open = load(hydra);
            var said = run(threads, first, LENGTH);
            var late = load(hydra);
            first.forEach(Talk::close);
            var after = settled(hydra, before);

            System.out.printf(
                    "%d dialogs, %d s, %d answers: heap %d KiB before, %d KiB open (%d KiB a dialog), %d KiB at the end, %d KiB after;"
                            + " threads %d, %d, %d, %d; files %d, %d, %d, %d%n",
                    DIALOGS,
                    LENGTH.toSeconds(),
                    said,
                    before.heap() >> 10,
                    open.heap() >> 10,
                    (open.heap() - before.heap() >> 10) / DIALOGS,
                    late.heap() >> 10,
                    after.heap() >> 10,
                    before.threads(),
                    open.threads(),
                    late.threads(),
                    after.threads(),
                    before.files(),
                    open.files(),
                    late.files(),
                    after.files());
            assertThat(said).isGreaterThan(DIALOGS);
            assertThat(open.heap() - before.heap()).as("bytes of 50 dialogs").isLessThan(DIALOGS * 512L << 10);
            // What the database keeps in memory has a limit of its own, and is none of a dialog's.
            assertThat(after.heap() - before.heap()).as("bytes not given back").isLessThan(24L << 20);
            assertThat(hydra.runWith("/history\n", "model", "chat", "--dialog", "many-7")
                            .out()
                            .lines())
                    .hasSizeGreaterThan(3)
                    .allMatch(line -> line.contains("> many-7 "));
        }
    }

    /** A client in a dialog, which asks what nobody else asks and expects just that for an answer. */
    private record Talk(String name, Process client, BufferedWriter questions, BufferedReader answers, Random random)
            implements AutoCloseable {
        int say(Duration length) throws IOException, InterruptedException {
            var end = System.nanoTime() + length.toNanos();
            int said = 0;
            do {
                var question = name + " " + said + " " + Long.toHexString(random.nextLong())
                        + " word".repeat(random.nextInt(20));
                questions.write(question + "\n");
                questions.flush();
                assertThat(answers.readLine()).isEqualTo(question);
                said++;
                Thread.sleep(random.nextInt(1000));
            } while (System.nanoTime() < end);
            return said;
        }

        @Override
        public void close() {
            try {
                questions.close();
                assertThat(answers.readLine()).isNull();
                assertThat(client.waitFor()).isZero();
            } catch (IOException | InterruptedException e) {
                throw new AssertionError(name, e);
            }
        }
    }

    private static List<Talk> talk(Hydra hydra, ExecutorService threads, int count, String prefix, Duration length)
            throws Exception {
        var talks = new ArrayList<Talk>();
        for (int i = 0; i < count; i++) {
            var name = prefix + i;
            var client = hydra.process("model", "chat", "echo:gap=5", "--dialog", name)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            talks.add(new Talk(name, client, client.outputWriter(), client.inputReader(), new Random(i)));
        }
        run(threads, talks, length);
        return talks;
    }

    /** Lets all of them talk at once; returns how many answers there were. */
    private static int run(ExecutorService threads, List<Talk> talks, Duration length)
            throws InterruptedException, ExecutionException {
        var running = new ArrayList<Future<Integer>>();
        for (var talk : talks) {
            Callable<Integer> work = () -> talk.say(length);
            running.add(threads.submit(work));
        }
        int said = 0;
        for (var one : running) {
            said += one.get();
        }
        return said;
    }

    /** Waits until threads and files are about as few as they were: connections to Ollama are kept for 5 s, in case they are needed. */
    private static Load settled(Hydra hydra, Load before) throws Exception {
        await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            var pid = hydra.daemon().pid();
            assertThat(threads(pid)).isLessThan(before.threads() + DIALOGS / 4);
            assertThat(files(pid)).isLessThan(before.files() + DIALOGS / 4);
        });
        return load(hydra);
    }

    private static Load load(Hydra hydra) throws Exception {
        var pid = hydra.daemon().pid();
        jcmd(pid, "GC.run");
        var used = USED.matcher(jcmd(pid, "GC.heap_info"));
        long heap = 0;
        while (used.find()) {
            heap += Long.parseLong(used.group(1)) << 10;
        }
        assertThat(heap).isPositive();
        return new Load(heap, threads(pid), files(pid));
    }

    private static long threads(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(l -> l.startsWith("Threads:"))
                .map(l -> Long.parseLong(l.substring(8).strip()))
                .findFirst()
                .orElseThrow();
    }

    private static long files(long pid) throws IOException {
        try (var files = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            return files.count();
        }
    }

    private static String jcmd(long pid, String command) throws Exception {
        var jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), "" + pid, command)
                .redirectErrorStream(true)
                .start();
        var said = new String(jcmd.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(jcmd.waitFor()).as(said).isZero();
        return said;
    }
}
