package dev.hydravisor.launch;

import dev.hydravisor.env.RawWebSocket;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Measures a WebSocket server from outside: {@code URL PID TOKEN CONNECTIONS ROUNDS MESSAGE}. Prints the median and the 99th percentile of
 * how long a message takes to be answered, in microseconds, and the memory a connection takes, in KiB. {@code %d} in the message stands for
 * its number; the answer that counts is the first.
 */
final class LaunchBench {
    private LaunchBench() {}

    public static void main(String[] args) throws Exception {
        var url = URI.create(args[0]);
        var pid = args[1];
        var count = Integer.parseInt(args[3]);
        var rounds = Integer.parseInt(args[4]);
        var took = new ArrayList<Long>();
        try (var socket = RawWebSocket.open(url, args[2])) {
            for (int round = -rounds / 4; round < rounds; round++) {
                var message = args[5].replace("%d", Integer.toString(round + rounds));
                var start = System.nanoTime();
                socket.send(message);
                var answer = socket.next();
                if (round >= 0) {
                    took.add(System.nanoTime() - start);
                }
                // What a launch tells besides does not belong to it.
                while (answer != null && answer.contains("\"accepted\"")) {
                    var next = socket.next();
                    if (next == null || next.contains("\"type\":\"failed\"")) {
                        break;
                    }
                }
            }
        }
        took.sort(null);
        var before = resident(pid);
        List<RawWebSocket> crowd = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            var socket = RawWebSocket.open(url, args[2]);
            crowd.add(socket);
            socket.send(args[5].contains("launch") ? "{\"id\":\"1\",\"type\":\"ping\"}" : args[5]);
            socket.next();
        }
        var after = resident(pid);
        crowd.forEach(RawWebSocket::close);
        System.out.printf(
                Locale.ROOT,
                "%.0f %.0f %.1f%n",
                took.get(took.size() / 2) / 1e3,
                took.get(took.size() * 99 / 100) / 1e3,
                count == 0 ? 0 : (after - before) / (double) count);
    }

    /** What is left in memory after a collection, in KiB. */
    private static long resident(String pid) throws IOException, InterruptedException {
        for (var command : List.of("GC.run", "GC.run")) {
            new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin/jcmd").toString(), pid, command)
                    .redirectErrorStream(true)
                    .start()
                    .getInputStream()
                    .readAllBytes();
        }
        return Arrays.stream(Files.readString(Path.of("/proc/" + pid + "/status"), StandardCharsets.UTF_8)
                        .split("\n", -1))
                .filter(l -> l.startsWith("VmRSS:"))
                .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")))
                .sum();
    }
}
