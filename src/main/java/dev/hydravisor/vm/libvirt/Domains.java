package dev.hydravisor.vm.libvirt;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.instance.Usage;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.vm.libvirt.DomainXml.Accelerator;
import dev.hydravisor.vm.libvirt.DomainXml.Facts;
import dev.hydravisor.vm.libvirt.DomainXml.Machine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.libvirt.Domain;
import org.libvirt.Error.ErrorNumber;
import org.libvirt.LibvirtException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The domains that hydra made. */
public final class Domains {
    private static final Logger log = LoggerFactory.getLogger(Domains.class);
    // VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | SNAPSHOTS_METADATA | NVRAM | CHECKPOINTS_METADATA
    private static final int UNDEFINE_ALL = 1 | 2 | 4 | 16;
    private static final int ADDRESS_SOURCE_AGENT = 1;

    // libvirt's virDomainState
    public static final int NO_STATE = 0;
    public static final int PAUSED = 3;
    public static final int SHUTDOWN = 4;
    public static final int SHUTOFF = 5;
    public static final int CRASHED = 6;
    public static final int SUSPENDED = 7;

    private static final Pattern KVM_TROUBLE = Pattern.compile(
            "failed to set MSR|Could not access KVM|failed to initialize kvm", Pattern.CASE_INSENSITIVE);

    private final Libvirt libvirt;
    // What a document says changes only with a define, of which an event tells.
    private final Map<UUID, Facts> facts = new ConcurrentHashMap<>();
    private volatile @Nullable String kvmTrouble;

    public Domains(Libvirt libvirt) {
        this.libvirt = libvirt;
    }

    /** A domain as it is now: state and reason as libvirt numbers them. */
    public record Status(
            UUID id,
            String name,
            int state,
            int reason,
            Facts facts,
            @Nullable String address) {
        public boolean isActive() {
            return state != SHUTOFF && state != NO_STATE;
        }

        /** True for a pause nobody asked for, which is how KVM gives up on a guest. */
        public boolean isPausedForNoReason() {
            return state == PAUSED && reason == 0;
        }
    }

    /** Those it was told of and that are hydra's, without asking libvirt. */
    public List<UUID> known() {
        return facts.entrySet().stream()
                .filter(f -> f.getValue().ours())
                .map(Map.Entry::getKey)
                .toList();
    }

    /** Forgets what it knows of a domain's document; of all for null. */
    public void forget(@Nullable UUID id) {
        if (id == null) {
            facts.clear();
        } else {
            facts.remove(id);
        }
    }

    /**
     * All domains of ours with their states and addresses. Costs one round trip, one for each network, and one for each domain not
     * seen before.
     */
    public List<Status> all() {
        return libvirt.call(c -> {
            var states = LibvirtFunctions.states(c.pointer(), id -> !facts.containsKey(id));
            if (states == null) {
                // Says why in libvirt's words.
                c.listAllDomains(0);
                throw HydraException.failed("libvirt does not tell the states of its domains");
            }
            var leases = new HashMap<String, Map<String, LibvirtFunctions.Lease>>();
            var all = new ArrayList<Status>(states.size());
            for (var s : states) {
                var document = s.document();
                var known = document == null
                        ? facts.get(s.id())
                        : facts.computeIfAbsent(s.id(), _ -> DomainXml.read(document));
                if (known != null && known.ours()) {
                    var network = known.network();
                    String address = null;
                    if (s.state() != SHUTOFF && network != null) {
                        address = address(known, leases.computeIfAbsent(network, n -> leases(c, n)));
                    }
                    all.add(new Status(s.id(), s.name(), s.state(), s.reason(), known, address));
                }
            }
            return all;
        });
    }

    /** What every active domain uses, ours or not, by id: processor time in nanoseconds and memory in bytes. */
    public Map<UUID, Usage> usage() {
        return libvirt.call(c -> {
            var usages = LibvirtFunctions.usage(c.pointer());
            if (usages == null) {
                throw HydraException.failed("libvirt does not tell what its domains use");
            }
            return usages.stream()
                    .collect(Collectors.toMap(
                            LibvirtFunctions.DomainUsage::id, u -> new Usage(u.cpuNanos(), u.memoryKib() << 10)));
        });
    }

    /** One domain; null when there is none with this id. */
    public @Nullable Status status(UUID id) {
        return libvirt.ask(c -> {
            var domain = lookup(c, id);
            var known = domain == null ? null : facts(c, id);
            var state = known == null ? null : LibvirtFunctions.state(c.pointer(), id);
            if (domain == null || known == null || state == null) {
                return null;
            }
            var network = known.network();
            return new Status(
                    id,
                    domain.getName(),
                    state[0],
                    state[1],
                    known,
                    network == null || state[0] == SHUTOFF ? null : address(known, leases(c, network)));
        });
    }

    /** When the lease of a MAC ends, in seconds since 1970; 0 when it has none. */
    public long leaseExpiry(Facts facts) {
        var network = facts.network();
        var mac = facts.mac();
        if (network == null || mac == null) {
            return 0;
        }
        var lease = libvirt.call(c -> leases(c, network)).get(mac);
        return lease == null ? 0 : lease.expiry();
    }

    /** The first address that the guest's agent tells of the interface with that MAC; null when there is no agent yet. */
    public @Nullable String agentAddress(UUID id, Facts facts) {
        return libvirt.ask(c -> {
            var domain = lookup(c, id);
            if (domain == null) {
                return null;
            }
            try {
                return domain.interfaceAddresses(ADDRESS_SOURCE_AGENT, 0).stream()
                        .filter(i -> i.hwAddr != null && i.hwAddr.equalsIgnoreCase(facts.mac()) && i.addrs != null)
                        .flatMap(i -> i.addrs.stream())
                        .map(a -> a.address)
                        .filter(a -> !a.isLinkLocalAddress())
                        .min(java.util.Comparator.comparing(a -> !(a instanceof java.net.Inet4Address)))
                        .map(java.net.InetAddress::getHostAddress)
                        .orElse(null);
            } catch (LibvirtException | IllegalStateException e) {
                log.trace("no agent in {} yet", id, e);
                return null;
            }
        });
    }

    /** True when any domain, of whoever made it, has this name. */
    public boolean nameIsTaken(String name) {
        return libvirt.call(c -> Libvirt.find(() -> c.domainLookupByName(name)) != null);
    }

    public void define(Machine machine) {
        libvirt.run(c -> {
            c.domainDefineXML(DomainXml.write(machine));
            facts.remove(machine.id());
        });
    }

    /** Starts a network that is not active. Gives true when it had to. */
    public boolean activateNetwork(String name) {
        return libvirt.call(c -> {
            var network = Libvirt.find(() -> c.networkLookupByName(name));
            if (network == null) {
                throw HydraException.notFound("network `" + PlainText.shorten(name) + "` does not exist in libvirt at `"
                        + libvirt.uri() + "`; see `virsh net-list --all`");
            }
            if (network.isActive() == 1) {
                return false;
            }
            try {
                network.create();
                return true;
            } catch (LibvirtException e) {
                if (network.isActive() == 1) {
                    return false;
                }
                throw HydraException.failed(
                        "network `" + name + "` cannot be started: " + Libvirt.message(e) + "; see `virsh net-start "
                                + name + "`",
                        e);
            }
        });
    }

    /** What a start came to. */
    public enum Started {
        DONE,
        /** KVM refused it, and it did not start. */
        KVM_REFUSED
    }

    /** Starts it unless it is active. */
    public Started start(UUID id) {
        return libvirt.call(c -> {
            var domain = require(c, id);
            try {
                if (domain.isActive() == 0) {
                    domain.create();
                }
                return Started.DONE;
            } catch (LibvirtException e) {
                if (domain.isActive() == 1 && Libvirt.code(e) == ErrorNumber.VIR_ERR_OPERATION_INVALID) {
                    return Started.DONE;
                }
                var message = Libvirt.message(e);
                if (facts(c, id) instanceof Facts f
                        && f.accelerator() == Accelerator.KVM
                        && KVM_TROUBLE.matcher(message).find()) {
                    kvmTrouble = "KVM cannot run a guest here";
                    return Started.KVM_REFUSED;
                }
                throw e;
            }
        });
    }

    /** Gives a domain that is not active QEMU's emulation instead of KVM, and remembers that KVM is of no use on this host. */
    public void giveUpKvm(UUID id) {
        kvmTrouble = "KVM cannot run a guest here";
        redefine(id, DomainXml::withoutKvm);
    }

    /** Has another port of this host lead to the guest's SSH. */
    public void forward(UUID id, int port) {
        redefine(id, document -> DomainXml.withForward(document, port));
    }

    private void redefine(UUID id, java.util.function.UnaryOperator<String> change) {
        libvirt.run(c -> {
            c.domainDefineXML(change.apply(require(c, id).getXMLDesc(LibvirtFunctions.XML_INACTIVE)));
            facts.remove(id);
        });
    }

    /** Presses the power button. */
    public void shutdown(UUID id) {
        libvirt.run(c -> {
            var domain = lookup(c, id);
            if (domain != null && domain.isActive() == 1) {
                try {
                    domain.shutdown();
                } catch (LibvirtException e) {
                    if (domain.isActive() == 1) {
                        throw e;
                    }
                }
            }
        });
    }

    /** @throws HydraException NOT_FOUND; FAILED when it is not active */
    public void pause(UUID id) {
        libvirt.run(c -> require(c, id).suspend());
    }

    /** @throws HydraException NOT_FOUND; FAILED when it is not active */
    public void resume(UUID id) {
        libvirt.run(c -> require(c, id).resume());
    }

    /** Pulls the plug; one that is not active, or not there, is no error. */
    public void destroy(UUID id) {
        libvirt.run(c -> {
            var domain = lookup(c, id);
            if (domain != null) {
                destroy(domain);
            }
        });
    }

    /**
     * Pulls the plug and forgets the domain with its saved state and snapshots; one that is not there is no error.
     *
     * @throws HydraException CONFLICT when hydra did not make it
     */
    public void delete(UUID id) {
        libvirt.run(c -> {
            var domain = lookup(c, id);
            if (domain == null) {
                return;
            }
            if (!(facts(c, id) instanceof Facts f) || !f.ours()) {
                throw HydraException.conflict("domain `" + domain.getName()
                        + "` was not made by hydra; remove it with `virsh undefine` if it is not needed");
            }
            destroy(domain);
            if (domain.isPersistent() == 1) {
                domain.undefine(UNDEFINE_ALL);
            }
            facts.remove(id);
        });
    }

    /** Whether KVM truly runs guests here; if not, why, in one line. */
    public @Nullable String kvmTrouble() {
        var known = kvmTrouble;
        if (known != null) {
            return known;
        }
        var capabilities = libvirt.ask(c -> LibvirtFunctions.domainCapabilities(c.pointer(), "kvm"));
        if (capabilities == null) {
            return "libvirt offers no KVM on this host";
        }
        // A host whose KVM only looks usable offers none of the processor models that every KVM can run.
        var usable = Xml.at(Xml.parse(capabilities), "cpu/mode/model")
                .anyMatch(e -> e.getTextContent().equals("kvm64")
                        && e.getAttribute("usable").equals("yes"));
        if (!usable) {
            return "KVM is there but runs no processor model that libvirt knows";
        }
        return hasVirtualization() ? null : "the processor shows no virtualization (vmx or svm)";
    }

    private boolean hasVirtualization() {
        if (!libvirt.isLocal()) {
            return true;
        }
        try {
            return Pattern.compile("^flags\\s*:.*\\b(vmx|svm)\\b", Pattern.MULTILINE)
                    .matcher(Files.readString(Path.of("/proc/cpuinfo")))
                    .find();
        } catch (java.io.IOException e) {
            return false;
        }
    }

    private static void destroy(Domain domain) throws LibvirtException {
        try {
            if (domain.isActive() == 1) {
                domain.destroy();
            }
        } catch (LibvirtException e) {
            if (domain.isActive() == 1) {
                throw e;
            }
        }
    }

    private Domain require(Libvirt.Connection c, UUID id) throws LibvirtException {
        var domain = lookup(c, id);
        if (domain == null) {
            throw HydraException.notFound("domain `" + id + "` is no longer in libvirt at `" + libvirt.uri()
                    + "`; delete the VM and create it again");
        }
        return domain;
    }

    private static @Nullable Domain lookup(Libvirt.Connection c, UUID id) throws LibvirtException {
        return Libvirt.find(() -> c.domainLookupByUUIDString(id.toString()));
    }

    private @Nullable Facts facts(Libvirt.Connection c, UUID id) throws LibvirtException {
        var known = facts.get(id);
        if (known == null) {
            var domain = lookup(c, id);
            if (domain == null) {
                return null;
            }
            known = Libvirt.find(() -> DomainXml.read(domain.getXMLDesc(LibvirtFunctions.XML_INACTIVE)));
            if (known != null) {
                facts.put(id, known);
            }
        }
        return known;
    }

    /** The leases of a network that have not expired, by MAC; for each MAC the latest, and IPv4 before IPv6. */
    private static Map<String, LibvirtFunctions.Lease> leases(Libvirt.Connection c, String network) {
        var now = System.currentTimeMillis() / 1000;
        var latest = java.util.Comparator.comparing(LibvirtFunctions.Lease::ipv4)
                .thenComparing(LibvirtFunctions.Lease::expiry);
        var leases = new HashMap<String, LibvirtFunctions.Lease>();
        for (var lease : LibvirtFunctions.leases(c.pointer(), network)) {
            if (lease.expiry() > now || lease.expiry() == 0) {
                leases.merge(
                        lease.mac().toLowerCase(java.util.Locale.ROOT),
                        lease,
                        java.util.function.BinaryOperator.maxBy(latest));
            }
        }
        return leases;
    }

    private static @Nullable String address(Facts facts, Map<String, LibvirtFunctions.Lease> leases) {
        var lease = facts.mac() == null ? null : leases.get(facts.mac());
        return lease == null ? null : lease.address();
    }
}
