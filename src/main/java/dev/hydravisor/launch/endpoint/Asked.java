package dev.hydravisor.launch.endpoint;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.host.ShortName;
import dev.hydravisor.instance.ContainerSpec;
import dev.hydravisor.instance.InstanceSpec;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.request.Ask;
import dev.hydravisor.request.Refusal;
import dev.hydravisor.token.Scope;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A message of a client, as docs/launch-api.md says. Each field has its own type, and nothing else is taken. */
sealed interface Asked {
    /** The client's name for this message, which every answer to it bears. */
    String id();

    record Launch(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @JsonProperty(required = true) String key,
            @JsonProperty(required = true) String name,
            @Nullable Vm vm,
            @Nullable Container container,
            @Nullable String model,
            @Nullable String prompt,
            @Nullable Long after)
            implements Asked {
        private static final Pattern KEY = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}");
        private static final int LONGEST_PROMPT = 32_768;

        Ask ask(Scope scope) {
            require("key", key, KEY);
            // Its service says so too, but without the field.
            if (!ShortName.fits(name)) {
                throw cannotBe("name", name);
            }
            if ((vm == null) == (container == null)) {
                throw bad("vm", "give one of `vm` and `container`");
            }
            if (prompt != null && (prompt.isBlank() || prompt.length() > LONGEST_PROMPT)) {
                throw bad("prompt", "`prompt` is empty or has more than " + LONGEST_PROMPT + " characters");
            }
            InstanceSpec spec = vm == null ? Objects.requireNonNull(container).spec(scope) : vm.spec(scope);
            return new Ask(key, name, spec, model, prompt);
        }
    }

    record Vm(
            @JsonProperty(required = true) String image,
            @Nullable Integer cpus,
            @Nullable Long memoryMib,
            @Nullable Long diskGib,
            @Nullable String user,
            @Nullable String userData,
            @Nullable String network) {
        private static final Pattern IMAGE = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,127}");
        private static final Pattern USER = Pattern.compile("[a-z_][a-z0-9_-]{0,31}");
        private static final Pattern NETWORK = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

        VmSpec spec(Scope scope) {
            require("vm.image", image, IMAGE);
            return new VmSpec(
                    image,
                    (int) number("vm.cpus", cpus, (long) scope.cpus(2), 1, 512),
                    number("vm.memory_mib", memoryMib, scope.memoryMib(2048), 1, 1 << 24),
                    number("vm.disk_gib", diskGib, 0, 1, 1 << 16),
                    user == null ? "hydra" : require("vm.user", user, USER),
                    userData,
                    network == null ? "default" : require("vm.network", network, NETWORK));
        }
    }

    record Container(
            @JsonProperty(required = true) String image,
            @Nullable Double cpus,
            @Nullable Long memoryMib,
            @Nullable Long pids,
            @Nullable List<String> env,
            @Nullable List<Mount> mounts,
            @Nullable List<Port> ports,
            @Nullable String network,
            @Nullable String entrypoint,
            @Nullable String user,
            @Nullable String workdir,
            @Nullable Boolean readOnly,
            @Nullable String restart,
            @Nullable List<String> command) {
        private static final Pattern IMAGE = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}");
        private static final Pattern VARIABLE = Pattern.compile("(?s)[^=\\x00]+=[^\\x00]*");
        private static final Pattern USER = Pattern.compile("[A-Za-z0-9_.-]{1,32}(:[A-Za-z0-9_.-]{1,32})?");
        private static final Pattern ARGUMENT = Pattern.compile("(?s)[^\\x00]*");
        private static final Pattern WORD = Pattern.compile("(?s)[^\\x00]+");

        ContainerSpec spec(Scope scope) {
            require("container.image", image, IMAGE);
            if (cpus != null && !(cpus >= 0.01 && cpus <= 512)) {
                throw bad("container.cpus", "`container.cpus` is to be from 0.01 to 512");
            }
            var variables = list(env);
            variables.forEach(v -> require("container.env", v, VARIABLE));
            var words = list(command);
            words.forEach(w -> require("container.command", w, ARGUMENT));
            var net = word("container.network", network, ContainerSpec.Network.BRIDGE, ContainerSpec.Network.values());
            var published = list(ports).stream().map(Port::spec).toList();
            if (!published.isEmpty() && net != ContainerSpec.Network.BRIDGE) {
                throw bad("container.ports", "`container.ports` needs the network `bridge`");
            }
            return new ContainerSpec(
                    image,
                    cpus == null ? scope.cpus(0) : cpus,
                    number("container.memory_mib", memoryMib, scope.memoryMib(0), 6, 1 << 24),
                    number("container.pids", pids, 4096, 1, 4_194_304),
                    variables,
                    list(mounts).stream().map(Mount::spec).toList(),
                    published,
                    net,
                    entrypoint == null ? null : require("container.entrypoint", entrypoint, WORD),
                    user == null ? null : require("container.user", user, USER),
                    workdir == null ? null : path("container.workdir", workdir),
                    readOnly != null && readOnly,
                    word("container.restart", restart, ContainerSpec.Restart.NO, ContainerSpec.Restart.values()),
                    words);
        }
    }

    record Mount(
            @JsonProperty(required = true) String source,
            @JsonProperty(required = true) String target,
            @Nullable Boolean readOnly) {
        ContainerSpec.Mount spec() {
            return new ContainerSpec.Mount(
                    path("container.mounts.source", source),
                    path("container.mounts.target", target),
                    readOnly != null && readOnly);
        }
    }

    record Port(
            @Nullable String hostAddress,
            @JsonProperty(required = true) int hostPort,
            @JsonProperty(required = true) int containerPort,
            @Nullable String protocol) {
        private static final Pattern ADDRESS =
                Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]*");
        private static final Pattern PROTOCOL = Pattern.compile("tcp|udp");

        ContainerSpec.Port spec() {
            return new ContainerSpec.Port(
                    hostAddress == null ? null : require("container.ports.host_address", hostAddress, ADDRESS),
                    (int) number("container.ports.host_port", hostPort, 0, 1, 65_535),
                    (int) number("container.ports.container_port", containerPort, 0, 1, 65_535),
                    protocol == null ? "tcp" : require("container.ports.protocol", protocol, PROTOCOL));
        }
    }

    record Instances(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type) implements Asked {}

    record Show(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @JsonProperty(required = true) String name)
            implements Asked {}

    record Stop(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @JsonProperty(required = true) String name,
            @Nullable Boolean force,
            @Nullable Integer timeoutS)
            implements Asked {
        long seconds() {
            return number("timeout_s", timeoutS, 30, 0, 600);
        }
    }

    record Delete(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @JsonProperty(required = true) String name,
            @Nullable Boolean force)
            implements Asked {}

    record Subscribe(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @Nullable Long after) implements Asked {}

    record Cancel(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type,
            @JsonProperty(required = true) String key)
            implements Asked {}

    record Ping(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String type) implements Asked {}

    private static Refusal bad(String field, String message) {
        return new Refusal(422, "bad_value", field, message);
    }

    private static Refusal cannotBe(String field, String value) {
        return bad(field, "`" + field + "` cannot be `" + PlainText.shorten(value) + "`");
    }

    private static String require(String field, String value, Pattern form) {
        if (!form.matcher(value).matches()) {
            throw cannotBe(field, value);
        }
        return value;
    }

    private static String path(String field, String value) {
        var parts = List.of(value.split("/", -1));
        if (!value.startsWith("/") || value.indexOf(0) >= 0 || parts.contains("..") || parts.contains(".")) {
            throw bad(field, "`" + field + "` is to be an absolute path without `.` and `..`");
        }
        return value;
    }

    private static long number(String field, @Nullable Number given, long otherwise, long least, long most) {
        if (given == null) {
            return otherwise;
        }
        if (given.longValue() < least || given.longValue() > most) {
            throw bad(field, "`" + field + "` is to be from " + least + " to " + most);
        }
        return given.longValue();
    }

    private static <E extends Enum<E>> E word(String field, @Nullable String given, E otherwise, E[] values) {
        if (given == null) {
            return otherwise;
        }
        for (var value : values) {
            if (value.name()
                    .toLowerCase(java.util.Locale.ROOT)
                    .replace('_', '-')
                    .equals(given)) {
                return value;
            }
        }
        throw cannotBe(field, given);
    }

    private static <T> List<T> list(@Nullable List<T> given) {
        return given == null ? List.of() : given;
    }
}
