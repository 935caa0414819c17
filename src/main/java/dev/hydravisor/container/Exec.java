package dev.hydravisor.container;

import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.TasksGrpc;
import dev.hydravisor.container.containerd.api.TasksProto.CloseIORequest;
import dev.hydravisor.container.containerd.api.TasksProto.DeleteProcessRequest;
import dev.hydravisor.container.containerd.api.TasksProto.ExecProcessRequest;
import dev.hydravisor.container.containerd.api.TasksProto.KillRequest;
import dev.hydravisor.container.containerd.api.TasksProto.StartRequest;
import dev.hydravisor.container.containerd.api.TasksProto.WaitRequest;
import dev.hydravisor.operation.HydraException;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One more process in a running container, without a terminal: its streams go through FIFOs that only it and this object know. */
final class Exec implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Exec.class);
    private static final Duration RUNC = Duration.ofSeconds(60);
    private static final Duration AFTER_END = Duration.ofSeconds(2);

    private final Containerd containerd;
    private final String container;
    private final String id = "exec-" + UUID.randomUUID().toString().substring(0, 13);
    private final Path folder;
    private boolean made;

    Exec(Containerd containerd, String container, Path run) {
        this.containerd = containerd;
        this.container = container;
        this.folder = run.resolve(id);
    }

    /**
     * Runs it to its end, which may be far; an interrupt kills it.
     *
     * @param process its document, as {@link RuntimeSpec#exec} makes it
     * @param in its standard input; null for none
     * @return its exit status
     */
    int run(byte[] process, @Nullable InputStream in, OutputStream out, OutputStream err) throws IOException {
        Files.createDirectory(folder);
        var stdin = folder.resolve("0");
        var stdout = folder.resolve("1");
        var stderr = folder.resolve("2");
        for (var fifo : List.of(stdin, stdout, stderr)) {
            Fifo.make(fifo);
        }
        var readers = List.of(reader(stdout, out), reader(stderr, err));
        made = true;
        containerd.call(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.exec(ExecProcessRequest.newBuilder()
                        .setContainerId(container)
                        .setExecId(id)
                        .setStdin(in == null ? "" : stdin.toString())
                        .setStdout(stdout.toString())
                        .setStderr(stderr.toString())
                        .setSpec(Tasks.document("Process", process))
                        .build()));
        var end = TasksGrpc.newFutureStub(containerd.channel())
                .wait(WaitRequest.newBuilder()
                        .setContainerId(container)
                        .setExecId(id)
                        .build());
        try {
            containerd.call(
                    TasksGrpc::newBlockingStub,
                    RUNC,
                    s -> s.start(StartRequest.newBuilder()
                            .setContainerId(container)
                            .setExecId(id)
                            .build()));
            if (in != null) {
                Thread.ofVirtual().start(() -> feed(in, stdin));
            }
            var status = end.get().getExitStatus();
            delete();
            for (var reader : readers) {
                // What a process left behind in the background still prints is no longer this one's.
                reader.join(AFTER_END);
            }
            return status;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (ExecutionException e) {
            throw containerd.translate(e.getCause() == null ? e : e.getCause());
        } finally {
            end.cancel(true);
        }
    }

    private Thread reader(Path fifo, OutputStream to) {
        return Thread.ofPlatform().daemon().name("exec-output").start(() -> {
            try (var from = new FileInputStream(fifo.toFile())) {
                from.transferTo(to);
                to.flush();
            } catch (IOException e) {
                log.debug("output of {} ended: {}", id, e.getMessage());
            }
        });
    }

    private void feed(InputStream in, Path fifo) {
        // Opened for both directions it never blocks, whether or not there is a reader yet.
        try (var to = new RandomAccessFile(fifo.toFile(), "rw")) {
            var block = new byte[1 << 15];
            for (int n; (n = in.read(block)) >= 0; ) {
                to.write(block, 0, n);
            }
        } catch (IOException e) {
            log.debug("input of {} ended: {}", id, e.getMessage());
        }
        try {
            containerd.find(
                    TasksGrpc::newBlockingStub,
                    s -> s.closeIO(CloseIORequest.newBuilder()
                            .setContainerId(container)
                            .setExecId(id)
                            .setStdin(true)
                            .build()));
        } catch (HydraException e) {
            log.debug("input of {} not closed: {}", id, e.text());
        }
    }

    private void delete() {
        containerd.find(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.deleteProcess(DeleteProcessRequest.newBuilder()
                        .setContainerId(container)
                        .setExecId(id)
                        .build()));
        made = false;
    }

    /** Kills it if it still runs, and leaves neither its id nor its FIFOs. Works on an interrupted thread too. */
    @Override
    public void close() {
        var interrupted = Thread.interrupted();
        try {
            if (made) {
                end();
            }
            for (var name : List.of("0", "1", "2")) {
                var fifo = folder.resolve(name);
                if (Files.exists(fifo)) {
                    // A reader that nobody came to write to waits in its open.
                    new RandomAccessFile(fifo.toFile(), "rw").close();
                    Files.delete(fifo);
                }
            }
            Files.deleteIfExists(folder);
        } catch (IOException | HydraException e) {
            log.warn("exec {} in {} is not cleaned up: {}", id, container, e.getMessage());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void end() {
        containerd.find(
                TasksGrpc::newBlockingStub,
                s -> s.kill(KillRequest.newBuilder()
                        .setContainerId(container)
                        .setExecId(id)
                        .setSignal(Tasks.SIGKILL)
                        .build()));
        containerd.find(
                TasksGrpc::newBlockingStub,
                s -> s.wait(WaitRequest.newBuilder()
                        .setContainerId(container)
                        .setExecId(id)
                        .build()));
        delete();
    }
}
