package dev.hydravisor.vm.libvirt;

import com.sun.jna.Callback;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.ConnectionPointer;

/** The functions of libvirt's C API that its Java binding lacks. Each returns null or -1 on error, as C does. */
final class LibvirtFunctions {
    /** Called with each error libvirt would otherwise print to stderr. */
    interface ErrorFunction extends Callback {
        void error(Pointer userData, Pointer error);
    }

    static {
        Native.register(LibvirtFunctions.class, "virt");
    }

    private static final int STATS_STATE = 1;
    private static final int STATS_CPU_TOTAL = 1 << 1;
    private static final int STATS_BALLOON = 1 << 2;
    private static final int STATS_ACTIVE = 1;
    /** Leaves out what a busy domain would make it wait for. */
    private static final int STATS_NO_WAIT = 1 << 29;
    /** The document a domain was defined with, whether it runs or not. */
    static final int XML_INACTIVE = 2;

    // sizeof(virDomainStatsRecord) is not needed: the array holds pointers. virTypedParameter is
    // char field[80]; int type; union of at most 8 bytes, aligned to 8.
    private static final int PARAMETER_SIZE = 96;
    private static final int PARAMETER_TYPE = 80;
    private static final int PARAMETER_VALUE = 88;

    private LibvirtFunctions() {}

    /** A domain's state and why, as libvirt numbers them; its document where it was asked for and the domain still there. */
    record DomainState(
            UUID id,
            String name,
            int state,
            int reason,
            @Nullable String document) {}

    /** Processor time since a domain's start in nanoseconds, and the host's memory that it holds in KiB. */
    record DomainUsage(UUID id, long cpuNanos, long memoryKib) {}

    /** A DHCP lease; {@code expiry} is in seconds since 1970. */
    record Lease(String mac, String address, boolean ipv4, long expiry) {}

    static native void virSetErrorFunc(@Nullable Pointer userData, ErrorFunction handler);

    private static native int virConnectGetAllDomainStats(
            ConnectionPointer connection, int stats, PointerByReference records, int flags);

    private static native void virDomainStatsRecordListFree(Pointer records);

    private static native String virDomainGetName(Pointer domain);

    private static native int virDomainGetUUIDString(Pointer domain, byte[] uuid);

    private static native @Nullable Pointer virConnectGetDomainCapabilities(
            ConnectionPointer connection,
            @Nullable String emulator,
            @Nullable String architecture,
            @Nullable String machine,
            String type,
            int flags);

    private static native @Nullable Pointer virNetworkLookupByName(ConnectionPointer connection, String name);

    private static native int virNetworkFree(Pointer network);

    private static native int virNetworkGetDHCPLeases(
            Pointer network, @Nullable String mac, PointerByReference leases, int flags);

    private static native void virNetworkDHCPLeaseFree(Pointer lease);

    private static native @Nullable Pointer virDomainLookupByUUIDString(ConnectionPointer connection, String uuid);

    private static native int virDomainGetState(Pointer domain, IntByReference state, IntByReference reason, int flags);

    private static native @Nullable Pointer virDomainGetXMLDesc(Pointer domain, int flags);

    private static native int virDomainFree(Pointer domain);

    /** The state of one domain and why; null when there is no such domain. */
    static int @Nullable [] state(ConnectionPointer connection, UUID id) {
        var domain = virDomainLookupByUUIDString(connection, id.toString());
        if (domain == null) {
            return null;
        }
        try {
            var state = new IntByReference();
            var reason = new IntByReference();
            return virDomainGetState(domain, state, reason, 0) < 0
                    ? null
                    : new int[] {state.getValue(), reason.getValue()};
        } finally {
            virDomainFree(domain);
        }
    }

    /**
     * The state of every domain, in one round trip, and one more for each document; null on error.
     *
     * @param wanted of which domains the document is asked for
     */
    static @Nullable List<DomainState> states(ConnectionPointer connection, Predicate<UUID> wanted) {
        return stats(
                connection,
                STATS_STATE,
                0,
                (id, domain, values) -> new DomainState(
                        id,
                        virDomainGetName(domain),
                        values.getOrDefault("state.state", 0L).intValue(),
                        values.getOrDefault("state.reason", 0L).intValue(),
                        wanted.test(id) ? document(domain) : null));
    }

    /** What every active domain uses, in one round trip; null on error. */
    static @Nullable List<DomainUsage> usage(ConnectionPointer connection) {
        return stats(
                connection,
                STATS_CPU_TOTAL | STATS_BALLOON,
                STATS_ACTIVE | STATS_NO_WAIT,
                (id, _, values) -> new DomainUsage(
                        id,
                        values.getOrDefault("cpu.time", 0L),
                        values.getOrDefault("balloon.rss", values.getOrDefault("balloon.current", 0L))));
    }

    @FunctionalInterface
    private interface Reading<T> {
        T read(UUID id, Pointer domain, Map<String, Long> values);
    }

    private static <T> @Nullable List<T> stats(
            ConnectionPointer connection, int wanted, int flags, Reading<T> reading) {
        var reference = new PointerByReference();
        var count = virConnectGetAllDomainStats(connection, wanted, reference, flags);
        if (count < 0) {
            return null;
        }
        var records = reference.getValue();
        try {
            var all = new ArrayList<T>(count);
            for (int i = 0; i < count; i++) {
                var each = records.getPointer((long) i * Native.POINTER_SIZE);
                var domain = each.getPointer(0);
                var parameters = each.getPointer(Native.POINTER_SIZE);
                var values = new HashMap<String, Long>();
                for (int p = 0; p < each.getInt(2L * Native.POINTER_SIZE); p++) {
                    var at = (long) p * PARAMETER_SIZE;
                    // Whole numbers of 4 bytes (types 1 and 2) or 8 (3 and 4); nothing else is asked for here.
                    var wide = parameters.getInt(at + PARAMETER_TYPE) > 2;
                    values.put(
                            parameters.getString(at),
                            wide ? parameters.getLong(at + PARAMETER_VALUE) : parameters.getInt(at + PARAMETER_VALUE));
                }
                var uuid = new byte[37];
                virDomainGetUUIDString(domain, uuid);
                all.add(reading.read(
                        UUID.fromString(new String(uuid, 0, 36, StandardCharsets.US_ASCII)), domain, values));
            }
            return all;
        } finally {
            virDomainStatsRecordListFree(records);
        }
    }

    private static @Nullable String document(Pointer domain) {
        return take(virDomainGetXMLDesc(domain, XML_INACTIVE));
    }

    /** A string that is ours to free. */
    private static @Nullable String take(@Nullable Pointer text) {
        if (text == null) {
            return null;
        }
        try {
            return text.getString(0, "UTF-8");
        } finally {
            Native.free(Pointer.nativeValue(text));
        }
    }

    /** What domains of a type ({@code kvm}, {@code qemu}) can have on this host, as XML; null when there can be none. */
    static @Nullable String domainCapabilities(ConnectionPointer connection, String type) {
        return take(virConnectGetDomainCapabilities(connection, null, "x86_64", "q35", type, 0));
    }

    /** All leases of a network; empty when there is no such network or it gives none. */
    static List<Lease> leases(ConnectionPointer connection, String networkName) {
        var network = virNetworkLookupByName(connection, networkName);
        if (network == null) {
            return List.of();
        }
        try {
            var reference = new PointerByReference();
            var count = virNetworkGetDHCPLeases(network, null, reference, 0);
            if (count <= 0) {
                return List.of();
            }
            var array = reference.getValue();
            var all = new ArrayList<Lease>(count);
            for (int i = 0; i < count; i++) {
                // char *iface; long long expirytime; int type; char *mac, *iaid, *ipaddr; …
                var lease = array.getPointer((long) i * Native.POINTER_SIZE);
                var mac = lease.getPointer(24);
                var address = lease.getPointer(40);
                if (mac != null && address != null) {
                    all.add(new Lease(mac.getString(0), address.getString(0), lease.getInt(16) == 0, lease.getLong(8)));
                }
                virNetworkDHCPLeaseFree(lease);
            }
            Native.free(Pointer.nativeValue(array));
            return all;
        } finally {
            virNetworkFree(network);
        }
    }
}
