package dev.hydravisor.vm.libvirt;

import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.Element;

/** The libvirt document of a VM: written when it is made, and read back. */
public final class DomainXml {
    static final String NAMESPACE = "https://hydravisor.dev/xmlns/instance/1";
    private static final String QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0";
    private static final Pattern FORWARD = Pattern.compile("hostfwd=tcp:127\\.0\\.0\\.1:(\\d+)-:22");

    private DomainXml() {}

    /** How a guest's processors are run. */
    public enum Accelerator {
        KVM,
        /** QEMU's own emulation. */
        QEMU
    }

    /** How a guest's interface is connected. */
    public sealed interface Link {
        /** To a libvirt network. */
        record Network(String name) implements Link {}

        /** To QEMU's own user-mode network, with a port of this host forwarded to the guest's SSH. */
        record Forward(int port) implements Link {}
    }

    /**
     * A VM to be defined.
     *
     * @param disk path of its disk, qcow2
     * @param seed path of its seed, raw
     * @param user who may log in with its key
     * @param imageDigest of the image its disk is a clone of, as {@code sha256:…}
     */
    public record Machine(
            UUID id,
            String name,
            Accelerator accelerator,
            int cpus,
            long memoryMib,
            String disk,
            String seed,
            String mac,
            Link link,
            String user,
            String imageDigest) {}

    /**
     * What a domain's document says of it.
     *
     * @param ours whether hydra made it
     * @param mac of its first interface, lower case; null when it has none
     * @param network that interface's libvirt network; null when it is on none
     * @param forward the port of this host that leads to its SSH; 0 when there is none
     * @param imageDigest of the image it was made from; empty when an older hydra made it
     */
    public record Facts(
            boolean ours,
            Accelerator accelerator,
            @Nullable String mac,
            @Nullable String network,
            int forward,
            String imageDigest) {}

    static String write(Machine m) {
        var root = Xml.root("domain", "type", type(m.accelerator()));
        Xml.text(Xml.add(root, "name"), m.name());
        Xml.text(Xml.add(root, "uuid"), m.id().toString());
        Xml.addIn(NAMESPACE, Xml.add(root, "metadata"), "hydra:instance", "user", m.user(), "image", m.imageDigest());
        Xml.text(Xml.add(root, "memory", "unit", "MiB"), Long.toString(m.memoryMib()));
        Xml.text(Xml.add(root, "vcpu"), Integer.toString(m.cpus()));

        var sysinfo = Xml.add(Xml.add(root, "sysinfo", "type", "smbios"), "system");
        // cloud-init finds its seed early by this.
        Xml.text(Xml.add(sysinfo, "entry", "name", "serial"), "ds=nocloud");
        var os = Xml.add(root, "os");
        Xml.text(Xml.add(os, "type", "arch", "x86_64", "machine", "q35"), "hvm");
        Xml.add(os, "boot", "dev", "hd");
        Xml.add(os, "smbios", "mode", "sysinfo");
        var features = Xml.add(root, "features");
        Xml.add(features, "acpi");
        Xml.add(features, "apic");
        accelerate(root, features, m.accelerator());
        Xml.add(root, "clock", "offset", "utc");
        Xml.text(Xml.add(root, "on_poweroff"), "destroy");
        Xml.text(Xml.add(root, "on_reboot"), "restart");
        Xml.text(Xml.add(root, "on_crash"), "preserve");

        var devices = Xml.add(root, "devices");
        disk(devices, "qcow2", m.disk(), "vda");
        Xml.add(disk(devices, "raw", m.seed(), "vdb"), "readonly");
        link(root, devices, m);
        Xml.add(Xml.add(devices, "serial", "type", "pty"), "target", "port", "0");
        Xml.add(Xml.add(devices, "console", "type", "pty"), "target", "type", "serial", "port", "0");
        Xml.add(
                Xml.add(devices, "channel", "type", "unix"),
                "target",
                "type",
                "virtio",
                "name",
                "org.qemu.guest_agent.0");
        Xml.add(Xml.add(devices, "memballoon", "model", "virtio"), "stats", "period", "2");
        Xml.text(Xml.add(Xml.add(devices, "rng", "model", "virtio"), "backend", "model", "random"), "/dev/urandom");
        return Xml.write(root);
    }

    /** The document with QEMU's own emulation instead of KVM. */
    static String withoutKvm(String document) {
        var root = Xml.parse(document);
        root.setAttribute("type", type(Accelerator.QEMU));
        Xml.at(root, "cpu").toList().forEach(root::removeChild);
        accelerate(root, Xml.at(root, "features").findFirst().orElseThrow(), Accelerator.QEMU);
        return Xml.write(root);
    }

    /** The document with another port of this host leading to the guest's SSH. */
    static String withForward(String document, int port) {
        var root = Xml.parse(document);
        Xml.at(root, "commandline/arg")
                .forEach(arg -> arg.setAttribute(
                        "value", FORWARD.matcher(arg.getAttribute("value")).replaceFirst(forward(port))));
        return Xml.write(root);
    }

    static Facts read(String document) {
        var root = Xml.parse(document);
        var nic = Xml.at(root, "devices/interface").findFirst();
        return new Facts(
                Xml.at(root, "metadata/instance").anyMatch(e -> NAMESPACE.equals(e.getNamespaceURI())),
                root.getAttribute("type").equals("kvm") ? Accelerator.KVM : Accelerator.QEMU,
                nic.flatMap(e -> Xml.at(e, "mac").findFirst())
                        .map(e -> e.getAttribute("address").toLowerCase(java.util.Locale.ROOT))
                        .orElse(null),
                nic.flatMap(e -> Xml.at(e, "source").findFirst())
                        .map(e -> e.getAttribute("network"))
                        .filter(n -> !n.isEmpty())
                        .orElse(null),
                Xml.at(root, "commandline/arg")
                        .map(e -> FORWARD.matcher(e.getAttribute("value")))
                        .filter(java.util.regex.Matcher::find)
                        .map(found -> Integer.parseInt(found.group(1)))
                        .findFirst()
                        .orElse(0),
                Xml.at(root, "metadata/instance")
                        .map(e -> e.getAttribute("image"))
                        .findFirst()
                        .orElse(""));
    }

    private static String type(Accelerator accelerator) {
        return accelerator == Accelerator.KVM ? "kvm" : "qemu";
    }

    private static void accelerate(Element root, Element features, Accelerator accelerator) {
        var cpu = root.getOwnerDocument().createElement("cpu");
        root.insertBefore(cpu, features.getNextSibling());
        if (accelerator == Accelerator.KVM) {
            cpu.setAttribute("mode", "host-passthrough");
            cpu.setAttribute("check", "none");
        } else {
            cpu.setAttribute("mode", "custom");
            cpu.setAttribute("match", "exact");
            cpu.setAttribute("check", "none");
            Xml.text(Xml.add(cpu, "model", "fallback", "allow"), "qemu64");
            // Halves QEMU's memory.
            Xml.text(Xml.add(Xml.add(features, "tcg"), "tb-cache", "unit", "MiB"), "64");
        }
    }

    private static Element disk(Element devices, String format, String path, String target) {
        var disk = Xml.add(devices, "disk", "type", "file", "device", "disk");
        Xml.add(disk, "driver", "name", "qemu", "type", format);
        Xml.add(disk, "source", "file", path);
        Xml.add(disk, "target", "dev", target, "bus", "virtio");
        return disk;
    }

    private static void link(Element root, Element devices, Machine m) {
        switch (m.link()) {
            case Link.Network(var network) -> {
                var nic = Xml.add(devices, "interface", "type", "network");
                Xml.add(nic, "mac", "address", m.mac());
                Xml.add(nic, "source", "network", network);
                Xml.add(nic, "model", "type", "virtio");
            }
            case Link.Forward(var port) -> {
                // libvirt's own user-mode interface cannot forward a port. An address far up the bus is one libvirt
                // does
                // not give away.
                var commandline = Xml.addIn(QEMU_NAMESPACE, root, "qemu:commandline");
                for (var argument : new String[] {
                    "-netdev",
                    "user,id=hydra," + forward(port),
                    "-device",
                    "virtio-net-pci,netdev=hydra,bus=pcie.0,addr=0x1c,mac=" + m.mac()
                }) {
                    Xml.addIn(QEMU_NAMESPACE, commandline, "qemu:arg", "value", argument);
                }
            }
        }
    }

    private static String forward(int port) {
        return "hostfwd=tcp:127.0.0.1:" + port + "-:22";
    }
}
