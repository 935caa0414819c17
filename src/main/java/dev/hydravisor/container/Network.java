package dev.hydravisor.container;

import dev.hydravisor.host.Processes;
import dev.hydravisor.instance.ContainerSpec.Port;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The private network of one hydra home, made by the CNI plugins: a bridge, an address for each container, published ports. Bridge
 * and subnet are the home's own, so that two homes on one host never meet; they are kept in {@code containers/network.conflist}.
 */
final class Network {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final List<String> FOLDERS = List.of("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni");
    static final List<String> PLUGINS = List.of("bridge", "host-local", "portmap");

    private final Path folder;
    private final String name;
    private final String subnets;
    private final @Nullable String binaries;
    private boolean letThrough;

    /**
     * The network whose files are in {@code folder}.
     *
     * @param name of the network, which is also that of its bridge: at most 15 characters
     * @param subnets the /16 its /24 is taken of
     * @param binaries the folder of the plugins; null for the first usual one that has them
     */
    Network(Path folder, String name, String subnets, @Nullable String binaries) {
        this.folder = folder;
        this.name = name;
        this.subnets = subnets;
        this.binaries = binaries == null || binaries.isBlank() ? null : binaries;
    }

    /** The bridge, as {@code ip link} shows it while a container is or was on it. */
    String bridge() {
        return name;
    }

    /** Where the plugins are; null when they are nowhere. */
    @Nullable
    Path plugins() {
        var candidates = binaries == null ? FOLDERS : List.of(binaries);
        return candidates.stream()
                .map(Path::of)
                .filter(f -> Files.isExecutable(f.resolve("bridge")))
                .findFirst()
                .orElse(null);
    }

    /**
     * Connects a container's network namespace.
     *
     * @param id of the container
     * @param pid its process
     * @param result the file that what was made is kept in, for {@link #disconnect}
     * @return its address
     */
    String connect(String id, long pid, List<Port> ports, Path result) {
        disconnect(id, ports, result);
        var config = config();
        letThrough(config);
        JsonNode previous = null;
        // From here on there may be something to take away again.
        write(result, "{}");
        for (var plugin : plugins(config, ports)) {
            previous = JSON.readTree(run("ADD", id, "/proc/" + pid + "/ns/net", config, plugin, ports, previous));
            write(result, previous.toString());
        }
        var address = previous == null
                ? ""
                : previous.path("ips").path(0).path("address").asString("");
        if (address.isEmpty()) {
            throw HydraException.failed("the CNI plugins gave `" + id + "` no address; see `hydra doctor`");
        }
        return address.split("/", 2)[0];
    }

    /** Frees the address and the ports of a container, whose namespace may be gone by now; one that has none is no error. */
    void disconnect(String id, List<Port> ports, Path result) {
        if (!Files.exists(result)) {
            return;
        }
        var config = config();
        JsonNode previous;
        try {
            previous = JSON.readTree(Files.readAllBytes(result));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        for (var plugin : plugins(config, ports).reversed()) {
            run("DEL", id, "", config, plugin, ports, previous.isEmpty() ? null : previous);
        }
        try {
            Files.deleteIfExists(result);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Takes the bridge and its rules away; for when no container is left. */
    synchronized void removeBridge() {
        if (Files.exists(Path.of("/sys/class/net", name))) {
            Processes.run(LIMIT, List.of(program("ip"), "link", "delete", name));
        }
        if (letThrough || Files.exists(folder.resolve("network.conflist"))) {
            for (var rule : rules(config())) {
                iptables("-D", rule);
            }
            letThrough = false;
        }
    }

    /**
     * Lets the bridge's containers out under the host's address, and in what belongs to it or was published, also where the host
     * forwards nothing by default. By rules for the bridge, not by the plugins' own for each container: those stay behind when a
     * container's namespace is gone before its network is taken down, which is so whenever its process ends by itself.
     */
    private synchronized void letThrough(JsonNode config) {
        if (letThrough) {
            return;
        }
        for (var rule : rules(config)) {
            if (!iptables("-C", rule).ok()) {
                var added = iptables("-I", rule);
                if (!added.ok()) {
                    throw HydraException.failed(
                            "`iptables` failed: " + added.reason() + "; see `hydra doctor`, or use `--network none`");
                }
            }
        }
        letThrough = true;
    }

    /** A table, a chain, and what is matched and done. */
    private List<List<String>> rules(JsonNode config) {
        var subnet = config.at("/plugins/0/ipam/ranges/0/0/subnet").asString("");
        return List.of(
                List.of("nat", "POSTROUTING", "-s", subnet, "!", "-o", name, "-j", "MASQUERADE"),
                List.of("filter", "FORWARD", "-i", name, "-j", "ACCEPT"),
                List.of(
                        "filter",
                        "FORWARD",
                        "-o",
                        name,
                        "-m",
                        "conntrack",
                        "--ctstate",
                        "RELATED,ESTABLISHED,DNAT",
                        "-j",
                        "ACCEPT"));
    }

    private static Processes.Result iptables(String action, List<String> rule) {
        var argv = new ArrayList<>(List.of(program("iptables"), "-w", "10", "-t", rule.get(0), action, rule.get(1)));
        argv.addAll(rule.subList(2, rule.size()));
        return Processes.run(LIMIT, argv);
    }

    /** By its path: a user's PATH need not have the folders of administrators' programs. */
    private static String program(String name) {
        var found = Processes.find(name);
        return found == null ? name : found.toString();
    }

    private String run(
            String command,
            String id,
            String netns,
            JsonNode config,
            JsonNode plugin,
            List<Port> ports,
            @Nullable JsonNode previous) {
        var plugins = plugins();
        if (plugins == null) {
            throw HydraException.unavailable("the CNI plugins are not installed (looked in "
                    + (binaries == null ? String.join(", ", FOLDERS) : binaries)
                    + "); install them with bin/setup, set container.cni-bin, or use `--network none`");
        }
        var input = (ObjectNode) plugin.deepCopy();
        input.set("cniVersion", config.path("cniVersion"));
        input.put("name", name);
        if (publishes(plugin)) {
            var mappings = input.putObject("runtimeConfig").putArray("portMappings");
            for (var port : ports) {
                var mapping = mappings.addObject()
                        .put("hostPort", port.hostPort())
                        .put("containerPort", port.containerPort())
                        .put("protocol", port.protocol());
                if (port.hostAddress() != null) {
                    mapping.put("hostIP", port.hostAddress());
                }
            }
        }
        if (previous != null) {
            input.set("prevResult", previous);
        }
        var type = plugin.path("type").asString("");
        var result = Processes.run(
                LIMIT,
                List.of(plugins.resolve(type).toString()),
                input.toString().getBytes(StandardCharsets.UTF_8),
                Map.of(
                        "CNI_COMMAND",
                        command,
                        "CNI_CONTAINERID",
                        id,
                        "CNI_NETNS",
                        netns,
                        "CNI_IFNAME",
                        "eth0",
                        "CNI_PATH",
                        plugins.toString(),
                        "PATH",
                        System.getenv().getOrDefault("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"));
        if (!result.ok()) {
            throw HydraException.failed("the network plugin `" + type + "` failed: " + reason(result)
                    + "; see `hydra doctor`, or use `--network none`");
        }
        return result.out();
    }

    private static String reason(Processes.Result result) {
        try {
            var error = JSON.readTree(result.out());
            var text =
                    error.path("msg").asString("") + " " + error.path("details").asString("");
            if (!text.isBlank()) {
                return text.strip().replaceAll("\\s+", " ");
            }
        } catch (tools.jackson.core.JacksonException e) {
            // It died before it could say so in JSON.
        }
        return result.reason();
    }

    private synchronized JsonNode config() {
        var file = folder.resolve("network.conflist");
        try {
            if (Files.exists(file)) {
                return JSON.readTree(Files.readAllBytes(file));
            }
            var config = JSON.createObjectNode().put("cniVersion", "0.4.0").put("name", name);
            var list = config.putArray("plugins");
            var bridge = list.addObject()
                    .put("type", "bridge")
                    .put("bridge", name)
                    .put("isGateway", true)
                    .put("hairpinMode", true);
            var ipam = bridge.putObject("ipam")
                    .put("type", "host-local")
                    .put("dataDir", folder.resolve("addresses").toString());
            ipam.putArray("ranges").addArray().addObject().put("subnet", freeSubnet());
            ipam.putArray("routes").addObject().put("dst", "0.0.0.0/0");
            list.addObject()
                    .put("type", "portmap")
                    .put("snat", true)
                    .putObject("capabilities")
                    .put("portMappings", true);
            write(file, config.toPrettyString());
            return config;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A /24 that no interface of this host is in. Where to begin to look depends on the name, so that two homes seldom race for one. */
    private String freeSubnet() throws SocketException {
        var taken = NetworkInterface.networkInterfaces()
                .flatMap(n -> n.getInterfaceAddresses().stream())
                .filter(a -> a.getAddress() instanceof Inet4Address)
                .map(a -> new int[] {number(a.getAddress()), a.getNetworkPrefixLength()})
                .toList();
        int base;
        try {
            base = number(InetAddress.getByName(subnets.split("/", 2)[0])) & 0xffff0000;
        } catch (UnknownHostException e) {
            throw HydraException.usage("container.subnets is `" + subnets + "`; write it as 10.88.0.0/16");
        }
        int start = ByteBuffer.wrap(name.getBytes(StandardCharsets.UTF_8), name.length() - 4, 4)
                .getInt();
        for (int i = 0; i < 256; i++) {
            int candidate = base | (((start + i) & 0xff) << 8);
            if (taken.stream().noneMatch(t -> overlap(candidate, 24, t[0], t[1]))) {
                return text(candidate) + "/24";
            }
        }
        throw HydraException.failed(
                "all of `" + subnets + "` is in use on this host; set container.subnets to another /16");
    }

    private static boolean overlap(int a, int aBits, int b, int bBits) {
        int bits = Math.min(aBits, bBits);
        int mask = bits == 0 ? 0 : -1 << (32 - bits);
        return (a & mask) == (b & mask);
    }

    private static int number(InetAddress address) {
        return ByteBuffer.wrap(address.getAddress()).getInt();
    }

    private static String text(int address) {
        return Stream.of(24, 16, 8, 0)
                .map(s -> Integer.toString((address >> s) & 0xff))
                .collect(java.util.stream.Collectors.joining("."));
    }

    /** Those that have something to do: each is a program that costs its start. */
    private static List<JsonNode> plugins(JsonNode config, List<Port> ports) {
        return config.path("plugins")
                .valueStream()
                .filter(p -> !ports.isEmpty() || !publishes(p))
                .toList();
    }

    private static boolean publishes(JsonNode plugin) {
        return plugin.path("capabilities").path("portMappings").asBoolean(false);
    }

    private static void write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            var fresh = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(fresh, text);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write `" + file + "`", e);
        }
    }
}
