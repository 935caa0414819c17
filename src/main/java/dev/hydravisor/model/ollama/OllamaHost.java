package dev.hydravisor.model.ollama;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Set;

/** Reads OLLAMA_HOST as Ollama's own client does. */
final class OllamaHost {
    private static final int DEFAULT_PORT = 11434;
    private static final Set<String> ANY = Set.of("", "0.0.0.0");

    private OllamaHost() {}

    /**
     * The base URL, without a slash at its end.
     *
     * @param text {@code [http[s]://]host[:port][/path]}; the port is 11434, or the scheme's own where a scheme is given; an empty
     *     host, and the ones a server listens on for any, mean this machine
     * @throws HydraException USAGE when it cannot be read
     */
    static URI parse(String text) {
        var trimmed = text.strip().replaceAll("^[\"']+|[\"']+$", "").strip();
        var split = trimmed.indexOf("://");
        var scheme = split < 0 ? "http" : trimmed.substring(0, split);
        var port = split < 0 ? DEFAULT_PORT : scheme.equals("https") ? 443 : 80;
        if (!scheme.equals("http") && !scheme.equals("https")) {
            throw unreadable(text);
        }
        var rest = split < 0 ? trimmed : trimmed.substring(split + 3);
        var slash = rest.indexOf('/');
        var path = slash < 0 ? "" : rest.substring(slash).replaceAll("/+$", "");
        var host = slash < 0 ? rest : rest.substring(0, slash);
        var colon = host.lastIndexOf(':');
        // A bare IPv6 address has many colons and no port.
        var bareIpv6 = host.indexOf(':') != colon && !host.startsWith("[");
        if (colon >= 0 && !bareIpv6 && !host.endsWith("]")) {
            port = port(host.substring(colon + 1), text);
            host = host.substring(0, colon);
        }
        host = host.replaceAll("^\\[|]$", "");
        if (ANY.contains(host)) {
            host = "127.0.0.1";
        } else if (host.equals("::")) {
            host = "::1";
        }
        try {
            var uri = new URI(scheme, null, host.contains(":") ? "[" + host + "]" : host, port, path, null, null);
            if (uri.getHost() == null) {
                throw unreadable(text);
            }
            return uri;
        } catch (URISyntaxException e) {
            throw unreadable(text);
        }
    }

    private static int port(String digits, String text) {
        try {
            var port = Integer.parseInt(digits);
            if (port > 0 && port <= 65_535) {
                return port;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw unreadable(text);
    }

    private static HydraException unreadable(String text) {
        return HydraException.usage("OLLAMA_HOST is `" + PlainText.shorten(text)
                + "`; write [http[s]://]host[:port], such as 127.0.0.1:11434");
    }
}
