package dev.hydravisor.image;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/** A download that goes on where it broke off, in this run or a later one. */
final class Download {
    private static final int FAILURES = 4;
    private static final Duration STALLED = Duration.ofSeconds(60);

    private final HttpClient client = HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NORMAL)
            .connectTimeout(Duration.ofSeconds(15))
            .build();
    private final URI uri;
    private final Path part;
    private final Path validator;

    /** {@code folder} keeps what was received until it is {@link #discard}ed. */
    Download(URI uri, Path folder) {
        this.uri = uri;
        var id = HexFormat.of()
                .formatHex(DiskFile.newDigest("SHA-256").digest(uri.toString().getBytes(StandardCharsets.UTF_8)), 0, 8);
        part = folder.resolve("download-" + id + ".part");
        validator = folder.resolve("download-" + id + ".validator");
    }

    /** Receives the whole, its progress told in bytes, and gives the file. */
    Path fetch(Operation operation) throws InterruptedException, IOException {
        int failures = 0;
        while (true) {
            var before = received();
            try {
                if (receive(operation)) {
                    return part;
                }
                failures++;
            } catch (IOException e) {
                // What brings something on is no failure.
                failures = received() > before ? 1 : failures + 1;
                if (failures >= FAILURES) {
                    throw HydraException.failed(
                            "`" + uri + "` cannot be downloaded (" + why(e) + "); try again, what has arrived is kept",
                            e);
                }
            }
            if (failures >= FAILURES) {
                throw HydraException.failed("`" + uri + "` sends something else at each try; try again later");
            }
            Thread.sleep(Duration.ofSeconds(failures));
        }
    }

    /** Removes what was received. */
    void discard() throws IOException {
        Files.deleteIfExists(part);
        Files.deleteIfExists(validator);
    }

    /** A small text. */
    static String text(URI uri) throws InterruptedException {
        var download = new Download(uri, Path.of("/"));
        try {
            var response = download.client.send(
                    HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(30)).build(),
                    HttpResponse.BodyHandlers.ofInputStream());
            try (var body = response.body()) {
                requireOk(uri, response.statusCode());
                return new String(body.readNBytes(4 << 20), StandardCharsets.UTF_8);
            }
        } catch (IOException e) {
            throw HydraException.failed("`" + uri + "` cannot be downloaded (" + why(e) + "); try again", e);
        }
    }

    private boolean receive(Operation operation) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(30));
        var have = received();
        if (have > 0 && Files.exists(validator)) {
            request.header("Range", "bytes=" + have + "-").header("If-Range", Files.readString(validator));
        } else {
            discard();
        }
        var response = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        try (var body = response.body()) {
            var status = response.statusCode();
            if (status == 416) {
                discard();
                return false;
            }
            if (status >= 500) {
                throw new IOException("status " + status);
            }
            requireOk(uri, status);
            var resumed = status == 206;
            if (!resumed) {
                discard();
            }
            // Only a strong validator proves that the rest belongs to the beginning.
            var tag = response.headers()
                    .firstValue("ETag")
                    .filter(t -> !t.startsWith("W/"))
                    .or(() -> response.headers().firstValue("Last-Modified"));
            if (tag.isPresent()) {
                Files.writeString(validator, tag.get());
            }
            var length = response.headers().firstValueAsLong("Content-Length").orElse(-1);
            var done = new AtomicLong(resumed ? have : 0);
            var total = length < 0 ? -1 : done.get() + length;
            var copy = new FutureTask<Void>(() -> {
                try (var out = Files.newOutputStream(part, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
                    var buffer = new byte[1 << 16];
                    int read;
                    while ((read = body.read(buffer)) >= 0) {
                        out.write(buffer, 0, read);
                        done.addAndGet(read);
                    }
                }
                return null;
            });
            Thread.ofVirtual().start(copy);
            watch(operation, copy, done, total);
            if (total >= 0 && done.get() != total) {
                throw new IOException("it broke off");
            }
            return true;
        }
    }

    private static void watch(Operation operation, FutureTask<Void> copy, AtomicLong done, long total)
            throws IOException, InterruptedException {
        var last = done.get();
        var lastChange = System.nanoTime();
        while (true) {
            try {
                copy.get(100, TimeUnit.MILLISECONDS);
                operation.progress(done.get(), total, "bytes");
                return;
            } catch (TimeoutException e) {
                operation.progress(done.get(), total, "bytes");
                if (done.get() != last) {
                    last = done.get();
                    lastChange = System.nanoTime();
                } else if (System.nanoTime() - lastChange > STALLED.toNanos()) {
                    throw new IOException("nothing came for " + STALLED.toSeconds() + " s");
                }
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
            }
        }
    }

    private long received() throws IOException {
        return Files.exists(part) ? Files.size(part) : 0;
    }

    private static void requireOk(URI uri, int status) {
        if (status != 200 && status != 206) {
            throw HydraException.failed("`" + uri + "` was answered with status " + status + "; check the address");
        }
    }

    private static String why(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
