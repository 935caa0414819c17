package dev.hydravisor.workspace;

import dev.hydravisor.host.Processes;
import dev.hydravisor.instance.Backend;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.Usage;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/** Instances that are but a real shell on this machine: enough for what happens in panes. */
public class ShellBackend implements Backend {
    public static final String IMAGE_DIGEST = "sha256:" + "0123456789abcdef".repeat(4);

    public final Map<UUID, Observed> instances = new ConcurrentHashMap<>();
    public volatile List<String> shell = List.of("/bin/sh", "-c", "echo the first byte; exec env PS1='$ ' sh -i");

    @Override
    public Kind kind() {
        return Kind.VM;
    }

    @Override
    public void create(Operation operation, Ref ref, InstanceSpec spec) {
        instances.put(ref.id(), new Observed(ref, State.STOPPED, null, null));
        operation.onFailure("instance", () -> instances.remove(ref.id()));
    }

    @Override
    public void start(Operation operation, Ref ref, InstanceSpec spec, Duration limit) {
        instances.put(ref.id(), new Observed(ref, State.RUNNING, null, "127.0.0.1"));
    }

    @Override
    public void stop(Operation operation, Ref ref, Duration limit, boolean force) {
        instances.put(ref.id(), new Observed(ref, State.STOPPED, null, null));
    }

    @Override
    public void pause(Ref ref) {
        instances.put(ref.id(), new Observed(ref, State.PAUSED, null, null));
    }

    @Override
    public void resume(Ref ref) {
        instances.put(ref.id(), new Observed(ref, State.RUNNING, null, "127.0.0.1"));
    }

    @Override
    public void delete(Operation operation, Ref ref) {
        instances.remove(ref.id());
    }

    @Override
    public Map<UUID, Observed> observe() {
        return instances;
    }

    @Override
    public Map<UUID, Usage> usage() {
        return Map.of();
    }

    @Override
    public List<String> shellCommand(Ref ref, InstanceSpec spec, Duration limit) {
        if (shell.isEmpty()) {
            throw HydraException.unavailable("the guest offers no login");
        }
        return shell;
    }

    @Override
    public String imageDigest(Ref ref, InstanceSpec spec) {
        return IMAGE_DIGEST;
    }

    @Override
    public Processes.Result exec(Ref ref, InstanceSpec spec, List<String> argv, byte[] input, Duration limit) {
        return Processes.run(limit, argv, input);
    }

    @Override
    public List<String> consoleCommand(Ref ref) {
        return shell;
    }

    @Override
    public void onChange(ChangeListener listener) {}
}
