package dev.hydravisor.container;

import com.google.protobuf.Empty;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.IntrospectionGrpc;
import dev.hydravisor.container.containerd.api.IntrospectionProto.PluginsRequest;
import dev.hydravisor.container.containerd.api.VersionGrpc;
import dev.hydravisor.host.Check;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.springframework.stereotype.Component;

/** What containers need of the host. */
@Component
class ContainerCheck implements Check {
    private static final Duration LIMIT = Duration.ofSeconds(3);

    private final Containerd containerd;
    private final ContainerProperties properties;
    private final Network network;

    ContainerCheck(Containerd containerd, ContainerProperties properties, ContainerBackend backend) {
        this.containerd = containerd;
        this.properties = properties;
        this.network = backend.network();
    }

    @Override
    public List<Finding> findings() {
        var findings = new ArrayList<Finding>();
        try {
            containerd(findings);
        } catch (HydraException e) {
            // VMs do without it.
            findings.add(Finding.warning(
                    "containerd",
                    e.problem(),
                    Files.exists(Path.of(containerd.address()))
                            ? "see `journalctl -u containerd`; whoever runs hydra needs access to the socket"
                            : "install it with `bin/setup` and start it with `systemctl start containerd`"));
        }
        program(findings, "runc", "runc");
        plugins(findings);
        cgroups(findings);
        return findings;
    }

    private void containerd(List<Finding> findings) {
        var version = containerd
                .call(VersionGrpc::newBlockingStub, LIMIT, s -> s.version(Empty.getDefaultInstance()))
                .getVersion();
        findings.add(Finding.ok(
                "containerd", version + " at " + containerd.address() + ", namespace " + containerd.namespace()));
        var name = properties.snapshotter();
        var found = containerd
                .call(
                        IntrospectionGrpc::newBlockingStub,
                        LIMIT,
                        s -> s.plugins(PluginsRequest.newBuilder()
                                .addFilters("type==io.containerd.snapshotter.v1,id==" + name)
                                .build()))
                .getPluginsList();
        findings.add(
                found.isEmpty()
                        ? Finding.error(
                                "snapshotter",
                                "containerd has none called " + name,
                                "set container.snapshotter to one that `ctr plugins ls` shows, such as overlayfs")
                        : Finding.ok("snapshotter", name));
    }

    private void plugins(List<Finding> findings) {
        var folder = network.plugins();
        var missing = folder == null
                ? Network.PLUGINS
                : Network.PLUGINS.stream()
                        .filter(p -> !Files.isExecutable(folder.resolve(p)))
                        .toList();
        findings.add(
                missing.isEmpty()
                        ? Finding.ok("cni", "plugins in " + folder)
                        : Finding.warning(
                                "cni",
                                "missing: " + String.join(", ", missing)
                                        + "; containers can only have `--network none` or `host`",
                                "install `containernetworking-plugins`, or set container.cni-bin"));
        program(findings, "iptables", "iptables");
    }

    private static void cgroups(List<Finding> findings) {
        if (RuntimeSpec.isCgroup2()) {
            findings.add(Finding.ok("cgroups", "version 2"));
        } else if (Files.isDirectory(Path.of("/sys/fs/cgroup/memory"))) {
            findings.add(Finding.ok("cgroups", "version 1"));
        } else {
            findings.add(Finding.warning(
                    "cgroups",
                    "no memory controller: limits of containers are not enforced",
                    "boot with `systemd.unified_cgroup_hierarchy=1`"));
        }
    }

    private static void program(List<Finding> findings, String name, String debianPackage) {
        var found = Processes.find(name);
        findings.add(
                found == null
                        ? Finding.warning(name, "not installed", "install `" + debianPackage + "` or run `bin/setup`")
                        : Finding.ok(name, found.toString()));
    }
}
