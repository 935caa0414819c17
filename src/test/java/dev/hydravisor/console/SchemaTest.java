package dev.hydravisor.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonValue;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.VmSpec;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The schemas of the records that {@code -o json} prints, one for each that a command has a table of: in docs/schema, made of the records.
 * {@code mvn test -Dtest=SchemaTest -Dhydra.schema.write=true} writes them anew.
 */
class SchemaTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Path FOLDER = Path.of("docs/schema");

    @Test
    void everyRecordThatIsPrintedHasItsSchemaAndNoOtherIsThere() throws IOException {
        var schemas = new TreeMap<String, String>();
        for (var type : records()) {
            var schema = JSON.createObjectNode();
            schema.put("$schema", "https://json-schema.org/draft/2020-12/schema")
                    .put("title", type.getSimpleName());
            schema.setAll(object(type));
            assertThat(schemas.put(
                            name(type) + ".json",
                            JSON.writerWithDefaultPrettyPrinter().writeValueAsString(schema) + "\n"))
                    .as("two records called " + type.getSimpleName())
                    .isNull();
        }
        if (Boolean.getBoolean("hydra.schema.write")) {
            Files.createDirectories(FOLDER);
            for (var schema : schemas.entrySet()) {
                Files.writeString(FOLDER.resolve(schema.getKey()), schema.getValue());
            }
        }
        assertThat(schemas).hasSizeGreaterThan(8);
        for (var schema : schemas.entrySet()) {
            assertThat(FOLDER.resolve(schema.getKey())).hasContent(schema.getValue());
        }
        try (var files = Files.list(FOLDER).filter(Files::isRegularFile)) {
            // Those of a recording's own files are written by hand.
            assertThat(files.map(f -> f.getFileName().toString()).filter(f -> !f.endsWith(".schema.json")))
                    .containsExactlyInAnyOrderElementsOf(schemas.keySet());
        }
    }

    @Test
    void theSchemaNamesWhatIsPrinted() throws IOException {
        var instance = new Instance(
                UUID.randomUUID(),
                "web",
                Kind.VM,
                State.RUNNING,
                null,
                new VmSpec("debian", 1, 512, 0, "hydra", null, "default"),
                null,
                null,
                Instant.now());
        var printed = JSON.readTree(Output.JSON.writeValueAsString(instance));
        var schema = JSON.readTree(Files.readAllBytes(FOLDER.resolve("instance.json")));
        assertThat(printed.propertyNames())
                .containsExactlyInAnyOrderElementsOf(schema.get("properties").propertyNames());
        assertThat(printed.get("state").asString())
                .isIn(schema.at("/properties/state/enum")
                        .valueStream()
                        .map(JsonNode::asString)
                        .toList());
        var specs = schema.at("/properties/spec/oneOf")
                .valueStream()
                .filter(s -> s.get("title").asString().equals("VmSpec"))
                .findFirst()
                .orElseThrow();
        assertThat(printed.get("spec").propertyNames())
                .containsExactlyInAnyOrderElementsOf(specs.get("properties").propertyNames());
    }

    /** What the commands have tables of. */
    private static List<Class<?>> records() {
        return new ClassFileImporter()
                .importPackagesOf(Table.class).stream()
                        .filter(c -> c.getPackageName().equals(Table.class.getPackageName()))
                        .map(JavaClass::reflect)
                        .flatMap(c -> Arrays.stream(c.getDeclaredFields()))
                        .filter(f -> f.getType() == Table.class
                                && f.getGenericType() instanceof ParameterizedType p
                                && p.getActualTypeArguments()[0] instanceof Class<?>)
                        .map(f -> raw(((ParameterizedType) f.getGenericType()).getActualTypeArguments()[0]))
                        .distinct()
                        .<Class<?>>map(c -> c)
                        .toList();
    }

    private static ObjectNode object(Class<?> type) {
        assertThat(type.isRecord()).as(type + " is a record").isTrue();
        var schema = JSON.createObjectNode().put("type", "object");
        var required = JSON.createArrayNode();
        var properties = schema.putObject("properties");
        for (var component : type.getRecordComponents()) {
            var name = snake(component.getName());
            var property = of(component.getGenericType());
            if (component.getAnnotatedType().isAnnotationPresent(Nullable.class)) {
                property = nullable(property);
            }
            properties.set(name, property);
            required.add(name);
        }
        schema.set("required", required);
        return schema.put("additionalProperties", false);
    }

    private static ObjectNode nullable(ObjectNode schema) {
        var either = JSON.createObjectNode();
        either.putArray("anyOf").add(schema).addObject().put("type", "null");
        return either;
    }

    private static ObjectNode of(Type type) {
        var schema = JSON.createObjectNode();
        var raw = raw(type);
        if (raw == String.class || raw == Path.class || raw == Character.class) {
            return schema.put("type", "string");
        } else if (raw == UUID.class) {
            return schema.put("type", "string").put("format", "uuid");
        } else if (raw == Instant.class) {
            return schema.put("type", "string").put("format", "date-time");
        } else if (raw == boolean.class || raw == Boolean.class) {
            return schema.put("type", "boolean");
        } else if (raw == double.class || raw == Double.class || raw == float.class) {
            return schema.put("type", "number");
        } else if (raw == int.class || raw == long.class || raw == Integer.class || raw == Long.class) {
            return schema.put("type", "integer");
        } else if (raw.isEnum()) {
            schema.put("type", "string");
            var values = schema.putArray("enum");
            Arrays.stream(raw.getEnumConstants()).map(Output.JSON::valueToTree).forEach(v -> values.add((JsonNode) v));
            return schema;
        } else if (Collection.class.isAssignableFrom(raw)) {
            schema.put("type", "array").set("items", of(arguments(type)[0]));
            return schema;
        } else if (Map.class.isAssignableFrom(raw)) {
            schema.put("type", "object").set("additionalProperties", of(arguments(type)[1]));
            return schema;
        } else if (raw == Optional.class) {
            return nullable(of(arguments(type)[0]));
        } else if (raw.isSealed()) {
            var either = schema.putArray("oneOf");
            for (var permitted : raw.getPermittedSubclasses()) {
                either.addObject().put("title", permitted.getSimpleName()).setAll(object(permitted));
            }
            return schema;
        }
        var value = Arrays.stream(raw.getDeclaredMethods())
                .filter(m -> m.isAnnotationPresent(JsonValue.class))
                .findFirst();
        return value.isPresent() ? of(value.get().getGenericReturnType()) : object(raw);
    }

    private static Type[] arguments(Type type) {
        return ((ParameterizedType) type).getActualTypeArguments();
    }

    private static Class<?> raw(Type type) {
        return type instanceof ParameterizedType p ? raw(p.getRawType()) : (Class<?>) type;
    }

    /** Its own name after its module's; one of a command's own after the commands'. */
    private static String name(Class<?> type) {
        var outer = type.getEnclosingClass();
        var module = type.getPackageName().equals(Table.class.getPackageName()) && outer != null
                ? snake(outer.getSimpleName().replace("Commands", "")).replace('_', '-')
                : type.getPackageName().replaceAll(".*\\.", "");
        var name = snake(type.getSimpleName()).replace('_', '-');
        return name.startsWith(module) ? name : module + "-" + name;
    }

    private static String snake(String name) {
        return name.replaceAll("([a-z0-9])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
    }
}
