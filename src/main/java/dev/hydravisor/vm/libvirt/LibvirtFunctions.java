package dev.hydravisor.vm.libvirt;

import com.sun.jna.Callback;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
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
    /** The document a domain was defined with, whether it runs or not. */
    static final int XML_INACTIVE = 2;

    // sizeof(virDomainStatsRecord) is not needed: the array holds pointers. virTypedParameter is
    // char field[80]; int type; union of at most 8 bytes, aligned to 8.
    private static final int PARAMETER_SIZE = 96;
    private static final int PARAMETER_VALUE = 88;

    private LibvirtFunctions() {}

    /** A domain's state and why, as libvirt numbers them; its document where it was asked for and the domain still there. */
    record DomainState(
            UUID id,
            String name,
            int state,
            int reason,
            @Nullable String document) {}

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
        var reference = new PointerByReference();
        var count = virConnectGetAllDomainStats(connection, STATS_STATE, reference, 0);
        if (count < 0) {
            return null;
        }
        var records = reference.getValue();
        try {
            var all = new ArrayList<DomainState>(count);
            for (int i = 0; i < count; i++) {
                var each = records.getPointer((long) i * Native.POINTER_SIZE);
                var domain = each.getPointer(0);
                var parameters = each.getPointer(Native.POINTER_SIZE);
                var parameterCount = each.getInt(2L * Native.POINTER_SIZE);
                int state = 0;
                int reason = 0;
                for (int p = 0; p < parameterCount; p++) {
                    var at = (long) p * PARAMETER_SIZE;
                    switch (parameters.getString(at)) {
                        case "state.state" -> state = parameters.getInt(at + PARAMETER_VALUE);
                        case "state.reason" -> reason = parameters.getInt(at + PARAMETER_VALUE);
                        default -> {}
                    }
                }
                var uuid = new byte[37];
                virDomainGetUUIDString(domain, uuid);
                var id = UUID.fromString(new String(uuid, 0, 36, StandardCharsets.US_ASCII));
                all.add(new DomainState(
                        id, virDomainGetName(domain), state, reason, wanted.test(id) ? document(domain) : null));
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
