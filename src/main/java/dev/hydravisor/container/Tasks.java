package dev.hydravisor.container;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.CgroupsV1Proto;
import dev.hydravisor.container.containerd.api.CgroupsV2Proto;
import dev.hydravisor.container.containerd.api.TaskProto.Process;
import dev.hydravisor.container.containerd.api.TasksGrpc;
import dev.hydravisor.container.containerd.api.TasksProto.CreateTaskRequest;
import dev.hydravisor.container.containerd.api.TasksProto.DeleteTaskRequest;
import dev.hydravisor.container.containerd.api.TasksProto.GetRequest;
import dev.hydravisor.container.containerd.api.TasksProto.KillRequest;
import dev.hydravisor.container.containerd.api.TasksProto.ListPidsRequest;
import dev.hydravisor.container.containerd.api.TasksProto.ListTasksRequest;
import dev.hydravisor.container.containerd.api.TasksProto.MetricsRequest;
import dev.hydravisor.container.containerd.api.TasksProto.PauseTaskRequest;
import dev.hydravisor.container.containerd.api.TasksProto.ResumeTaskRequest;
import dev.hydravisor.container.containerd.api.TasksProto.StartRequest;
import dev.hydravisor.container.containerd.api.TasksProto.WaitRequest;
import dev.hydravisor.container.containerd.api.TypesProto.Mount;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Tasks, which are what of a container runs. An id is a container's. */
final class Tasks {
    /** How long runc may take under load. */
    private static final Duration RUNC = Duration.ofSeconds(60);

    private static final Duration TICK = Duration.ofSeconds(1);

    static final int SIGKILL = 9;

    private final Containerd containerd;

    Tasks(Containerd containerd) {
        this.containerd = containerd;
    }

    /** All of the namespace, by id. */
    Map<String, Process> all() {
        return containerd
                .call(TasksGrpc::newBlockingStub, s -> s.list(ListTasksRequest.getDefaultInstance()))
                .getTasksList()
                .stream()
                .collect(Collectors.toMap(Process::getId, p -> p, (a, _) -> a));
    }

    /** Null when there is none. */
    @Nullable
    Process find(String id) {
        var found = containerd.find(
                TasksGrpc::newBlockingStub,
                s -> s.get(GetRequest.newBuilder().setContainerId(id).build()));
        return found == null ? null : found.getProcess();
    }

    /** Makes the process, held before its first instruction; returns its pid. Both its streams go to {@code output}. */
    int create(String id, List<Mount> root, String output) {
        return containerd
                .call(
                        TasksGrpc::newBlockingStub,
                        RUNC,
                        s -> s.create(CreateTaskRequest.newBuilder()
                                .setContainerId(id)
                                .addAllRootfs(root)
                                .setStdout(output)
                                .setStderr(output)
                                .build()))
                .getPid();
    }

    void start(String id) {
        containerd.call(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.start(StartRequest.newBuilder().setContainerId(id).build()));
    }

    void pause(String id) {
        containerd.call(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.pause(PauseTaskRequest.newBuilder().setContainerId(id).build()));
    }

    void resume(String id) {
        containerd.call(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.resume(ResumeTaskRequest.newBuilder().setContainerId(id).build()));
    }

    /** Sends a signal to the main process, or to all; none there is no error. */
    void kill(String id, int signal, boolean all) {
        containerd.find(
                TasksGrpc::newBlockingStub,
                s -> s.kill(KillRequest.newBuilder()
                        .setContainerId(id)
                        .setSignal(signal)
                        .setAll(all)
                        .build()));
    }

    /** Waits for the end of the main process; false when it has not come within {@code limit}. Says once a second how long it has waited. */
    boolean awaitEnd(String id, Duration limit, Consumer<Duration> waited) {
        var start = System.nanoTime();
        // Without a deadline: containerd would answer one that passes with an error of its own.
        var end = TasksGrpc.newFutureStub(containerd.channel())
                .wait(WaitRequest.newBuilder().setContainerId(id).build());
        try {
            while (true) {
                var past = Duration.ofNanos(System.nanoTime() - start);
                var left = limit.minus(past);
                try {
                    end.get(Math.clamp(left.toMillis(), 0, TICK.toMillis()), TimeUnit.MILLISECONDS);
                    return true;
                } catch (TimeoutException e) {
                    if (!left.isPositive()) {
                        return false;
                    }
                    waited.accept(past);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HydraException.interrupted();
        } catch (ExecutionException e) {
            var failure = containerd.translate(e.getCause() == null ? e : e.getCause());
            if (failure.exitCode() == ExitCode.NOT_FOUND) {
                return true;
            }
            throw failure;
        } finally {
            end.cancel(true);
        }
    }

    /** Forgets a task that has ended; returns its exit status, or null when there was none. */
    @Nullable
    Integer delete(String id) {
        var deleted = containerd.find(
                TasksGrpc::newBlockingStub,
                RUNC,
                s -> s.delete(DeleteTaskRequest.newBuilder().setContainerId(id).build()));
        return deleted == null ? null : deleted.getExitStatus();
    }

    /** The host's pids of all its processes. */
    List<Integer> pids(String id) {
        return containerd
                .call(
                        TasksGrpc::newBlockingStub,
                        s -> s.listPids(
                                ListPidsRequest.newBuilder().setContainerId(id).build()))
                .getProcessesList()
                .stream()
                .map(p -> p.getPid())
                .toList();
    }

    /**
     * What it uses.
     *
     * @param cpuNanos processor time so far
     * @param memory bytes, its page cache among them
     * @param memoryLimit bytes; 0 when it has none
     * @param oomKills how many of its processes the kernel has killed for want of memory
     */
    record Usage(long cpuNanos, long memory, long memoryLimit, long pids, long oomKills) {}

    /** By id, of the tasks that have a cgroup. An empty {@code id} asks for all. */
    Map<String, Usage> usage(String id) {
        var request = MetricsRequest.newBuilder();
        if (!id.isEmpty()) {
            request.addFilters("id==" + id);
        }
        return containerd.call(TasksGrpc::newBlockingStub, s -> s.metrics(request.build())).getMetricsList().stream()
                .collect(Collectors.toMap(m -> m.getId(), m -> usage(m.getData()), (a, _) -> a));
    }

    private static Usage usage(Any data) {
        try {
            // The type's name has no slash before it: the library's own unpacking refuses that.
            if (data.getTypeUrl().endsWith("cgroups.v2.Metrics")) {
                var m = CgroupsV2Proto.Metrics.parseFrom(data.getValue());
                return new Usage(
                        m.getCpu().getUsageUsec() * 1000,
                        m.getMemory().getUsage(),
                        limit(m.getMemory().getUsageLimit()),
                        m.getPids().getCurrent(),
                        m.getMemoryEvents().getOomKill());
            }
            var m = CgroupsV1Proto.Metrics.parseFrom(data.getValue());
            return new Usage(
                    m.getCpu().getUsage().getTotal(),
                    m.getMemory().getUsage().getUsage(),
                    limit(m.getMemory().getUsage().getLimit()),
                    m.getPids().getCurrent(),
                    m.getMemoryOomControl().getOomKill());
        } catch (InvalidProtocolBufferException e) {
            throw HydraException.failed("containerd's figures cannot be read: " + e.getMessage(), e);
        }
    }

    /** cgroups write "no limit" as a number near the largest there is. */
    private static long limit(long bytes) {
        return bytes < 0 || bytes >= 1L << 60 ? 0 : bytes;
    }

    /** A document of the runtime's, as containerd carries it. */
    static Any document(String type, byte[] json) {
        return Any.newBuilder()
                .setTypeUrl("types.containerd.io/opencontainers/runtime-spec/1/" + type)
                .setValue(ByteString.copyFrom(json))
                .build();
    }
}
