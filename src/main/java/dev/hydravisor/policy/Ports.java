package dev.hydravisor.policy;

import com.google.re2j.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Ports of this host, as {@code *} or {@code [ADDRESS:]PORT[-PORT]}.
 *
 * @param address null for any
 */
record Ports(@Nullable Glob address, int from, int to, String text) {
    private static final Pattern FORM =
            Pattern.compile("(?:(\\[[0-9a-fA-F:]+]|[0-9.*]+):)?([0-9]{1,5})(?:-([0-9]{1,5}))?");

    /** Null when it is not of this form. */
    static @Nullable Ports of(String text) {
        if (text.equals("*")) {
            return new Ports(null, 0, 65_535, text);
        }
        var m = FORM.matcher(text);
        if (!m.matches()) {
            return null;
        }
        var from = Integer.parseInt(m.group(2));
        var to = m.group(3) == null ? from : Integer.parseInt(m.group(3));
        var address = m.group(1);
        return from > to || to > 65_535
                ? null
                : new Ports(address == null ? null : Glob.of(bare(address)), from, to, text);
    }

    /** @param port as {@code [ADDRESS:]PORT[/udp]}; without an address it is all of the host's */
    boolean matches(String port) {
        var slash = port.indexOf('/');
        var bare = slash < 0 ? port : port.substring(0, slash);
        var colon = bare.lastIndexOf(':');
        var number = Integer.parseInt(bare.substring(colon + 1));
        var wanted = colon < 0 ? "0.0.0.0" : bare(bare.substring(0, colon));
        return number >= from && number <= to && (address == null || address.matches(wanted));
    }

    /** An address of IPv6 goes without its brackets. */
    private static String bare(String address) {
        return address.startsWith("[") ? address.substring(1, address.length() - 1) : address;
    }

    @Override
    public String toString() {
        return text;
    }
}
