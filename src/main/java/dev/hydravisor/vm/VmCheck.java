package dev.hydravisor.vm;

import dev.hydravisor.host.Check;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.vm.guest.Seed;
import java.util.ArrayList;
import java.util.List;
import org.springframework.stereotype.Component;

/** What VMs need of the host. */
@Component
class VmCheck implements Check {
    private final Hypervisor hypervisor;

    VmCheck(Hypervisor hypervisor) {
        this.hypervisor = hypervisor;
    }

    @Override
    public List<Finding> findings() {
        var findings = new ArrayList<Finding>();
        try {
            libvirt(findings);
        } catch (HydraException e) {
            findings.add(Finding.error("libvirt", e.problem(), "install and start it with `bin/setup`"));
        }
        program(findings, "qemu-img", "qemu-utils");
        program(findings, "virsh", "libvirt-clients");
        program(findings, "ssh", "openssh-client");
        program(findings, "ssh-keygen", "openssh-client");
        var tool = Seed.tool();
        findings.add(
                tool == null
                        ? Finding.error("seed", "no program that writes ISO images", "install `genisoimage`")
                        : Finding.ok("seed", "written with " + tool.getFirst()));
        return findings;
    }

    private void libvirt(List<Finding> findings) {
        var libvirt = hypervisor.libvirt();
        long version = libvirt.call(c -> c.getLibVirVersion());
        findings.add(Finding.ok(
                "libvirt",
                version / 1_000_000 + "." + version / 1_000 % 1_000 + "." + version % 1_000 + " at " + libvirt.uri()));
        if (libvirt.isSession()) {
            findings.add(Finding.ok("network", "QEMU's own: guests reach out, and SSH reaches in by a local port"));
        } else {
            network(findings);
        }
        var trouble = hypervisor.domains().kvmTrouble();
        findings.add(
                trouble == null
                        ? Finding.ok("kvm", "usable")
                        : Finding.warning(
                                "kvm",
                                trouble + ": guests run under QEMU's emulation, which is slower",
                                "enable virtualization in the firmware, or nested virtualization where this is a VM"));
    }

    private void network(List<Finding> findings) {
        var active = hypervisor.libvirt().ask(c -> {
            var network = dev.hydravisor.vm.libvirt.Libvirt.find(() -> c.networkLookupByName("default"));
            return network == null ? null : network.isActive() == 1;
        });
        findings.add(
                active == null
                        ? Finding.error(
                                "network",
                                "libvirt has no network `default`",
                                "define it with `virsh net-define /usr/share/libvirt/networks/default.xml`")
                        : active
                                ? Finding.ok("network", "default is active")
                                : Finding.warning(
                                        "network",
                                        "default is not active; it is started with the first VM",
                                        "`virsh net-autostart default` keeps it active"));
    }

    private static void program(List<Finding> findings, String name, String debianPackage) {
        var found = Processes.find(name);
        if (found != null) {
            findings.add(Finding.ok(name, found.toString()));
            return;
        }
        findings.add(Finding.error(name, "not installed", "install `" + debianPackage + "` or run `bin/setup`"));
    }
}
