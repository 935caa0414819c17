package dev.hydravisor.vm.libvirt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.vm.libvirt.DomainXml.Accelerator;
import dev.hydravisor.vm.libvirt.DomainXml.Link;
import dev.hydravisor.vm.libvirt.DomainXml.Machine;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class DomainXmlTest {
    private static final String NASTY = "a<b>&\"'$(x);]]>";
    private static final Link NETWORK = new Link.Network(NASTY);

    @Test
    void markupInNamesAndPathsStaysText() {
        var document = DomainXml.write(machine(Accelerator.QEMU, NETWORK));
        var root = Xml.parse(document);
        assertThat(Xml.at(root, "name").findFirst().orElseThrow().getTextContent())
                .isEqualTo(NASTY);
        assertThat(Xml.at(root, "devices/disk/source").map(e -> e.getAttribute("file")))
                .containsExactly("/disks/" + NASTY, "/seeds/" + NASTY);
        assertThat(DomainXml.read(document).network()).isEqualTo(NASTY);
    }

    @Test
    void itIsReadBackAsOursWithItsMacAndAccelerator() {
        var facts = DomainXml.read(DomainXml.write(machine(Accelerator.KVM, NETWORK)));
        assertThat(facts.ours()).isTrue();
        assertThat(facts.accelerator()).isEqualTo(Accelerator.KVM);
        assertThat(facts.mac()).isEqualTo("52:54:00:ab:cd:ef");
        assertThat(facts.forward()).isZero();
    }

    @Test
    void aForeignDomainIsNotOurs() {
        var facts = DomainXml.read(
                "<domain type='kvm'><metadata><x:instance xmlns:x='https://example.org'/></metadata></domain>");
        assertThat(facts.ours()).isFalse();
        assertThat(facts.mac()).isNull();
    }

    @Test
    void withoutKvmItIsEmulatedAndOtherwiseTheSame() {
        var kvm = DomainXml.write(machine(Accelerator.KVM, NETWORK));
        var emulated = DomainXml.withoutKvm(kvm);
        assertThat(DomainXml.read(emulated).accelerator()).isEqualTo(Accelerator.QEMU);
        var root = Xml.parse(emulated);
        assertThat(Xml.at(root, "cpu")).hasSize(1);
        assertThat(Xml.at(root, "cpu/model").map(e -> e.getTextContent())).containsExactly("qemu64");
        assertThat(Xml.at(root, "features/tcg/tb-cache")).hasSize(1);
        assertThat(DomainXml.read(emulated).mac()).isEqualTo(DomainXml.read(kvm).mac());
        assertThat(DomainXml.read(emulated).ours()).isTrue();
    }

    @Test
    void aForwardedPortCanBeChanged() {
        var document = DomainXml.write(machine(Accelerator.QEMU, new Link.Forward(2222)));
        assertThat(DomainXml.read(document).forward()).isEqualTo(2222);
        assertThat(DomainXml.read(document).imageDigest()).isEqualTo("sha256:abc");
        assertThat(DomainXml.read(DomainXml.withForward(document, 40000)).forward())
                .isEqualTo(40000);
    }

    private static Machine machine(Accelerator accelerator, Link link) {
        return new Machine(
                UUID.randomUUID(),
                NASTY,
                accelerator,
                2,
                512,
                "/disks/" + NASTY,
                "/seeds/" + NASTY,
                "52:54:00:AB:CD:EF",
                link,
                "hydra",
                "sha256:abc");
    }
}
