package dev.hydravisor.vm;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.image.Image;
import dev.hydravisor.image.ImageService;
import dev.hydravisor.instance.Backend;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.Usage;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.vm.guest.CloudConfig;
import dev.hydravisor.vm.guest.Keys;
import dev.hydravisor.vm.guest.Seed;
import dev.hydravisor.vm.guest.SshAccess;
import dev.hydravisor.vm.libvirt.DomainXml.Accelerator;
import dev.hydravisor.vm.libvirt.DomainXml.Link;
import dev.hydravisor.vm.libvirt.DomainXml.Machine;
import dev.hydravisor.vm.libvirt.Domains;
import dev.hydravisor.vm.libvirt.Domains.Started;
import dev.hydravisor.vm.libvirt.Domains.Status;
import dev.hydravisor.vm.libvirt.Libvirt;
import dev.hydravisor.vm.libvirt.Volumes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/** VMs as libvirt domains: a linked clone of an image, a seed, and a domain document that says hydra made it. */
@Component
public class VmBackend implements Backend {
    private static final Duration POLL = Duration.ofMillis(250);
    private static final Duration UNDO_LIMIT = Duration.ofSeconds(10);
    // A guest that boots does not hear the power button.
    private static final Duration POWER_BUTTON = Duration.ofSeconds(3);

    private final Libvirt libvirt;
    private final Domains domains;
    private final Volumes volumes;
    private final Keys keys;
    private final HydraHome home;
    private final @Nullable String netns;
    private final ImageSource images;
    // Addresses that libvirt's leases do not tell: those of a guest's agent.
    private final Map<UUID, String> agentAddresses = new ConcurrentHashMap<>();

    @Autowired
    public VmBackend(Hypervisor hypervisor, HydraHome home, ImageService images) {
        this(hypervisor, home, images::resolve);
    }

    /** Finds, or brings in, the image that a spec names. */
    @FunctionalInterface
    interface ImageSource {
        Image resolve(Operation operation, String ref);
    }

    VmBackend(Hypervisor hypervisor, HydraHome home, ImageSource images) {
        this.libvirt = hypervisor.libvirt();
        this.domains = hypervisor.domains();
        this.volumes = hypervisor.volumes();
        this.netns = hypervisor.netns();
        this.home = home;
        this.keys = new Keys(home);
        this.images = images;
    }

    @Override
    public Kind kind() {
        return Kind.VM;
    }

    @Override
    public String imageDigest(Ref ref, InstanceSpec spec) {
        return require(ref).facts().imageDigest();
    }

    @Override
    public void create(Operation operation, Ref ref, InstanceSpec spec) {
        operation.run(() -> create(operation, ref, (VmSpec) spec));
    }

    private void create(Operation operation, Ref ref, VmSpec spec) {
        keys.privateKey(ref.name());
        if (domains.status(ref.id()) != null) {
            return;
        }
        if (domains.nameIsTaken(ref.name())) {
            throw HydraException.conflict("libvirt has a domain `" + ref.name()
                    + "` that belongs to nothing here; choose another name, or remove it with `virsh undefine`");
        }
        // A wrong document must not cost a disk first.
        CloudConfig.userData(spec.user(), "", spec.userData());
        var link = link(spec);
        if (link instanceof Link.Network(var network)) {
            activate(operation, network);
        }
        var image = images.resolve(operation, spec.image());

        var disk = operation.stage("creating disk", () -> {
            operation.onFailure("disk", () -> patiently(() -> volumes.remove(disk(ref))));
            return volumes.clone(disk(ref), image.volume(), Math.max(image.virtualSize(), spec.diskGib() << 30));
        });
        var seed = operation.stage("making seed", () -> {
            operation.onFailure("keys", () -> keys.remove(ref.name()));
            operation.onFailure("seed", () -> patiently(() -> volumes.remove(seed(ref))));
            var userData = CloudConfig.userData(spec.user(), keys.make(ref.name()), spec.userData());
            var iso = Seed.make(home.run(), ref.id(), ref.name(), userData);
            volumes.upload(operation, seed(ref), new ByteArrayInputStream(iso), iso.length);
            return volumes.path(seed(ref));
        });
        operation.stage("defining", () -> {
            operation.onFailure("domain", () -> patiently(() -> domains.delete(ref.id())));
            domains.define(new Machine(
                    ref.id(),
                    ref.name(),
                    accelerator(operation),
                    spec.cpus(),
                    spec.memoryMib(),
                    disk,
                    seed,
                    randomMac(),
                    link,
                    spec.user(),
                    "sha256:" + image.sha256()));
        });
    }

    @Override
    public void start(Operation operation, Ref ref, InstanceSpec spec, Duration limit) {
        operation.run(() -> start(operation, ref, (VmSpec) spec, limit));
    }

    private void start(Operation operation, Ref ref, VmSpec spec, Duration limit) {
        var before = require(ref);
        // dnsmasq keeps the lease of the previous boot: it is no address until the guest has asked again.
        var staleExpiry = before.isActive() ? 0 : domains.leaseExpiry(before.facts());
        operation.stage("booting", () -> {
            if (before.facts().network() instanceof String network) {
                activate(operation, network);
            }
            if (!before.isActive() && before.facts().forward() != 0) {
                domains.forward(ref.id(), freePort());
            }
            agentAddresses.remove(ref.id());
            if (domains.start(ref.id()) == Started.KVM_REFUSED) {
                emulate(operation, ref);
            }
        });
        operation.stage("waiting for address", () -> awaitAddress(operation, ref, staleExpiry, limit));
    }

    private void awaitAddress(Operation operation, Ref ref, long staleExpiry, Duration limit)
            throws InterruptedException {
        var start = System.nanoTime();
        while (true) {
            var now = require(ref);
            if (now.isPausedForNoReason() && now.facts().accelerator() == Accelerator.KVM) {
                domains.destroy(ref.id());
                emulate(operation, ref);
            } else if (!now.isActive() || now.state() == Domains.PAUSED) {
                var seen = observed(now);
                throw HydraException.failed("vm `" + ref.name() + "` " + (now.isActive() ? "is paused" : "stopped")
                        + " while it was booting" + (seen.reason() == null ? "" : " (" + seen.reason() + ")")
                        + "; see what it says with `hydra vm console " + ref.name() + "`");
            } else if (hasAddress(now, staleExpiry)) {
                return;
            }
            var waited = Duration.ofNanos(System.nanoTime() - start);
            if (waited.compareTo(limit) >= 0) {
                operation.notice("vm `" + ref.name() + "` has no address after " + limit.toSeconds()
                        + " s; it is left running: `hydra vm console " + ref.name() + "` shows what it does");
                return;
            }
            operation.progress(waited.toSeconds(), limit.toSeconds(), "s");
            Thread.sleep(POLL);
        }
    }

    private boolean hasAddress(Status status, long staleExpiry) {
        if (status.address() != null && domains.leaseExpiry(status.facts()) > staleExpiry) {
            return true;
        }
        var told = domains.agentAddress(status.id(), status.facts());
        if (told != null) {
            agentAddresses.put(status.id(), told);
            return true;
        }
        return status.facts().forward() != 0 && answersSsh(status.facts().forward());
    }

    /** Emulated by QEMU instead: slower, but it runs. */
    private void emulate(Operation operation, Ref ref) {
        operation.notice("KVM cannot run a guest on this host; QEMU emulates the processor instead, which is slower");
        domains.giveUpKvm(ref.id());
        domains.start(ref.id());
    }

    @Override
    public void stop(Operation operation, Ref ref, Duration limit, boolean force) {
        operation.run(() -> awaitStop(operation, ref, limit, force));
    }

    private void awaitStop(Operation operation, Ref ref, Duration limit, boolean force) throws InterruptedException {
        var start = System.nanoTime();
        var pressed = Long.MIN_VALUE;
        while (true) {
            var now = domains.status(ref.id());
            if (now == null || !now.isActive()) {
                agentAddresses.remove(ref.id());
                return;
            }
            var stuck = now.state() == Domains.PAUSED || now.state() == Domains.CRASHED;
            var waited = Duration.ofNanos(System.nanoTime() - start);
            if (stuck && !force) {
                throw HydraException.failed("vm `" + ref.name() + "` is "
                        + (now.state() == Domains.PAUSED ? "paused" : "crashed")
                        + " and cannot shut down by itself; pass --force");
            }
            if (stuck || waited.compareTo(limit) >= 0) {
                if (!force) {
                    throw HydraException.failed("vm `" + ref.name() + "` is still running after " + limit.toSeconds()
                            + " s; give it more time or pass --force");
                }
                domains.destroy(ref.id());
                continue;
            }
            if (pressed == Long.MIN_VALUE || System.nanoTime() - pressed >= POWER_BUTTON.toNanos()) {
                domains.shutdown(ref.id());
                pressed = System.nanoTime();
            }
            operation.progress(waited.toSeconds(), limit.toSeconds(), "s");
            Thread.sleep(POLL);
        }
    }

    @Override
    public void pause(Ref ref) {
        var now = require(ref);
        if (!now.isActive()) {
            throw HydraException.conflict("vm `" + ref.name() + "` is not running; start it first");
        }
        if (now.state() != Domains.PAUSED) {
            domains.pause(ref.id());
        }
    }

    @Override
    public void resume(Ref ref) {
        var now = require(ref);
        if (!now.isActive()) {
            throw HydraException.conflict("vm `" + ref.name() + "` is not running; start it first");
        }
        if (now.state() == Domains.PAUSED) {
            domains.resume(ref.id());
        }
    }

    @Override
    public void delete(Operation operation, Ref ref) {
        operation.run(() -> {
            domains.delete(ref.id());
            volumes.remove(disk(ref));
            volumes.remove(seed(ref));
            keys.remove(ref.name());
            agentAddresses.remove(ref.id());
        });
    }

    @Override
    public Map<UUID, Observed> observe() {
        var all = new HashMap<UUID, Observed>();
        for (var status : domains.all()) {
            all.put(status.id(), observed(status));
        }
        return all;
    }

    @Override
    public Map<UUID, Usage> usage() {
        return domains.usage();
    }

    private Observed observed(Status s) {
        var ref = new Ref(s.id(), s.name());
        var address = s.address();
        if (address == null && s.isActive()) {
            address = s.facts().forward() == 0
                    ? agentAddresses.get(s.id())
                    : InetAddress.getLoopbackAddress().getHostAddress() + ":"
                            + s.facts().forward();
        }
        return switch (s.state()) {
            case Domains.PAUSED ->
                new Observed(
                        ref,
                        State.PAUSED,
                        switch (s.reason()) {
                            case 0 -> s.facts().accelerator() == Accelerator.KVM ? "KVM gave up on it" : null;
                            case 3 -> "being saved";
                            case 5 -> "its disk cannot be written: the storage pool may be full";
                            case 6 -> "its watchdog fired";
                            case 8 -> "shutting down";
                            case 9 -> "being snapshotted";
                            case 10 -> "the guest crashed";
                            case 11 -> "starting";
                            default -> null;
                        },
                        address);
            case Domains.SHUTDOWN -> new Observed(ref, State.RUNNING, "shutting down", address);
            case Domains.CRASHED -> new Observed(ref, State.FAILED, "the guest crashed", null);
            case Domains.SUSPENDED -> new Observed(ref, State.PAUSED, "the guest suspended itself", address);
            case Domains.SHUTOFF, Domains.NO_STATE ->
                switch (s.reason()) {
                    case 3 -> new Observed(ref, State.FAILED, "QEMU crashed", null);
                    case 5 -> new Observed(ref, State.STOPPED, "saved", null);
                    case 6 -> new Observed(ref, State.FAILED, "QEMU could not start it", null);
                    default -> new Observed(ref, State.STOPPED, null, null);
                };
            default -> new Observed(ref, State.RUNNING, null, address);
        };
    }

    @Override
    public List<String> shellCommand(Ref ref, InstanceSpec spec, Duration limit) {
        var end = System.nanoTime() + limit.toNanos();
        var status = require(ref);
        while (status.isActive()) {
            var left = Duration.ofNanos(end - System.nanoTime());
            var access = access(status, (VmSpec) spec);
            if (access != null) {
                return access.await(left) ? access.login() : consoleCommand(ref);
            }
            if (left.isNegative()) {
                break;
            }
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw HydraException.interrupted();
            }
            status = require(ref);
        }
        return consoleCommand(ref);
    }

    @Override
    public Processes.Result exec(Ref ref, InstanceSpec spec, List<String> argv, byte[] input, Duration limit) {
        var status = require(ref);
        var access = status.isActive() ? access(status, (VmSpec) spec) : null;
        if (access == null) {
            throw HydraException.unavailable(
                    "vm `" + ref.name() + "` cannot be reached by ssh: it has no address; use its shell");
        }
        return access.exec(argv, input, limit);
    }

    private @Nullable SshAccess access(Status status, VmSpec spec) {
        if (status.facts().forward() != 0) {
            return new SshAccess(
                    keys,
                    status.name(),
                    spec.user(),
                    InetAddress.getLoopbackAddress().getHostAddress(),
                    status.facts().forward(),
                    netns);
        }
        var address = observed(status).address();
        return address == null ? null : new SshAccess(keys, status.name(), spec.user(), address, 22, netns);
    }

    @Override
    public List<String> consoleCommand(Ref ref) {
        // By its id, for a name may begin with a dash. Without --force: a console somebody watches stays theirs.
        return List.of(
                "virsh", "-c", libvirt.uri(), "console", "--domain", ref.id().toString(), "--devname", "serial0");
    }

    @Override
    public void onChange(ChangeListener listener) {
        libvirt.listen(
                id -> {
                    domains.forget(id);
                    listener.changed(id);
                },
                () -> {
                    domains.forget(null);
                    observe().keySet().forEach(listener::changed);
                },
                () -> domains.known().forEach(listener::changed));
    }

    /** Does what undoes something, also when libvirt is just being restarted. */
    private static void patiently(Runnable work) throws InterruptedException {
        var end = System.nanoTime() + UNDO_LIMIT.toNanos();
        while (true) {
            try {
                work.run();
                return;
            } catch (HydraException e) {
                if (e.exitCode() != ExitCode.UNAVAILABLE || System.nanoTime() > end) {
                    throw e;
                }
                Thread.sleep(POLL);
            }
        }
    }

    private Status require(Ref ref) {
        var status = domains.status(ref.id());
        if (status == null) {
            throw HydraException.notFound("vm `" + ref.name() + "` is not known to libvirt at `" + libvirt.uri()
                    + "`; delete it and create it again");
        }
        return status;
    }

    private Accelerator accelerator(Operation operation) {
        var trouble = domains.kvmTrouble();
        if (trouble == null) {
            return Accelerator.KVM;
        }
        operation.notice(trouble + ": QEMU emulates the processor, which is slower");
        return Accelerator.QEMU;
    }

    private void activate(Operation operation, String network) {
        if (domains.activateNetwork(network)) {
            operation.notice("started the libvirt network `" + network + "`");
        }
    }

    private Link link(VmSpec spec) {
        var forward = libvirt.isSession() && List.of("default", "user").contains(spec.network());
        return forward ? new Link.Forward(freePort()) : new Link.Network(spec.network());
    }

    private static int freePort() {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException("no port is free", e);
        }
    }

    private static boolean answersSsh(int port) {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 500);
            // QEMU accepts for a guest that does not listen yet, and closes at once.
            socket.setSoTimeout(1000);
            return socket.getInputStream().read() == 'S';
        } catch (IOException e) {
            return false;
        }
    }

    private static String randomMac() {
        var tail = new byte[3];
        new SecureRandom().nextBytes(tail);
        // QEMU's and KVM's own prefix.
        return "52:54:00:" + HexFormat.ofDelimiter(":").formatHex(tail);
    }

    // By the id, which is safe in a path and never used again.
    private static String disk(Ref ref) {
        return ref.id() + ".qcow2";
    }

    private static String seed(Ref ref) {
        return ref.id() + "-seed.iso";
    }
}
