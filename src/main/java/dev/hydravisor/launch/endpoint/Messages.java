package dev.hydravisor.launch.endpoint;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.launch.LaunchProperties;
import dev.hydravisor.request.Refusal;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.CoercionAction;
import tools.jackson.databind.cfg.CoercionInputShape;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.type.LogicalType;

/** Reads what clients send, strictly, and writes what they are told. */
final class Messages {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:-]{1,64}");
    private static final int LONGEST_NAME = 64;
    private static final int LONGEST_NUMBER = 20;
    private static final Map<String, Class<? extends Asked>> TYPES = Map.of(
            "launch", Asked.Launch.class,
            "list", Asked.Instances.class,
            "show", Asked.Show.class,
            "stop", Asked.Stop.class,
            "delete", Asked.Delete.class,
            "subscribe", Asked.Subscribe.class,
            "cancel", Asked.Cancel.class,
            "ping", Asked.Ping.class);

    private final JsonMapper json;
    private final int nesting;

    Messages(LaunchProperties.Limits limits) {
        var factory = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(limits.nesting())
                        .maxStringLength((int) limits.messageSize().toBytes())
                        .maxNameLength(LONGEST_NAME)
                        .maxNumberLength(LONGEST_NUMBER)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        var builder = JsonMapper.builder(factory)
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .changeDefaultPropertyInclusion(i -> i.withValueInclusion(JsonInclude.Include.NON_NULL))
                .enable(
                        DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
                        DeserializationFeature.FAIL_ON_TRAILING_TOKENS,
                        DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS);
        for (var shape : List.of(CoercionInputShape.Integer, CoercionInputShape.Float, CoercionInputShape.Boolean)) {
            builder.withCoercionConfig(LogicalType.Textual, c -> c.setCoercion(shape, CoercionAction.Fail));
        }
        this.json = builder.build();
        this.nesting = limits.nesting();
    }

    /** What a client sent: the id that answers bear, where it can be read, and the message or what is wrong with it. */
    record Read(
            @Nullable String id,
            @Nullable Asked asked,
            @Nullable Refusal refusal) {}

    Read read(String text) {
        JsonNode tree;
        try {
            tree = json.readTree(text);
        } catch (StreamConstraintsException e) {
            return new Read(null, null, tooBig(e));
        } catch (JacksonException e) {
            return new Read(null, null, new Refusal(400, "bad_json", null, "this is no JSON: " + brief(e)));
        }
        if (!wellFormed(text, tree)) {
            return new Read(null, null, new Refusal(400, "bad_json", null, "half a surrogate pair is no character"));
        }
        if (!tree.isObject()) {
            return new Read(null, null, new Refusal(400, "bad_json", null, "a message is a JSON object"));
        }
        var id = tree.get("id");
        if (id == null || !id.isString() || !ID.matcher(id.stringValue()).matches()) {
            return new Read(
                    null,
                    null,
                    new Refusal(
                            400,
                            id == null ? "missing_field" : "bad_id",
                            "id",
                            "`id` is to be 1 to 64 letters, digits or . _ : -, in quotes"));
        }
        try {
            return new Read(id.stringValue(), typed(tree), null);
        } catch (Refusal e) {
            return new Read(id.stringValue(), null, e);
        }
    }

    /** An escape may spell half a character, which no encoder takes. */
    private static boolean wellFormed(String text, JsonNode tree) {
        return !text.contains("\\u") || StandardCharsets.UTF_8.newEncoder().canEncode(tree.toString());
    }

    private Asked typed(JsonNode tree) {
        var type = tree.get("type");
        if (type == null) {
            throw new Refusal(400, "missing_field", "type", "`type` is missing; it is one of " + types());
        }
        var form = type.isString() ? TYPES.get(type.stringValue()) : null;
        if (form == null) {
            throw new Refusal(
                    400,
                    "unknown_type",
                    "type",
                    "`type` cannot be `" + PlainText.shorten(type.asString("…")) + "`; it is one of " + types());
        }
        requireNoNull(tree, "");
        try {
            return json.treeToValue(tree, form);
        } catch (UnrecognizedPropertyException e) {
            var field = field(e);
            throw new Refusal(
                    400, "unknown_field", field, "there is no field `" + field + "` in `" + type.stringValue() + "`");
        } catch (JacksonException e) {
            var field = field(e);
            var missing = String.valueOf(e.getOriginalMessage()).startsWith("Missing required creator property");
            throw missing
                    ? new Refusal(400, "missing_field", missing(e, field), "`" + missing(e, field) + "` is missing")
                    : new Refusal(400, "wrong_type", field, "`" + field + "` has the wrong type");
        }
    }

    /** {@code null} is no value here: a field is given or left out. */
    private static void requireNoNull(JsonNode node, String path) {
        for (var property : node.properties()) {
            var field = path.isEmpty() ? property.getKey() : path + "." + property.getKey();
            if (property.getValue().isNull()) {
                throw new Refusal(
                        400,
                        "wrong_type",
                        PlainText.shorten(field),
                        "`" + PlainText.shorten(field) + "` is null; leave it out");
            }
            requireNoNull(property.getValue(), field);
        }
        if (node.isArray()) {
            for (var element : node.values()) {
                if (element.isNull()) {
                    throw new Refusal(400, "wrong_type", path, "`" + path + "` holds null; leave it out");
                }
                requireNoNull(element, path);
            }
        }
    }

    private static String field(JacksonException e) {
        return PlainText.shorten(e.getPath().stream()
                .map(JacksonException.Reference::getPropertyName)
                .filter(n -> n != null)
                .collect(Collectors.joining(".")));
    }

    private static final Pattern MISSING = Pattern.compile("'([a-zA-Z_]+)'");

    private static String missing(JacksonException e, String path) {
        var match = MISSING.matcher(String.valueOf(e.getOriginalMessage()));
        var name = match.find() ? match.group(1) : "";
        return path.isEmpty() || path.endsWith(name) ? (path.isEmpty() ? name : path) : path + "." + name;
    }

    private Refusal tooBig(StreamConstraintsException e) {
        return String.valueOf(e.getOriginalMessage()).contains("nesting")
                ? new Refusal(413, "too_deep", null, "a message may be nested " + nesting + " deep")
                : new Refusal(413, "too_large", null, "a name or number of this message is too long");
    }

    private static String brief(JacksonException e) {
        var where = e.getLocation();
        return "see line " + where.getLineNr() + ", column " + where.getColumnNr();
    }

    private static String types() {
        return TYPES.keySet().stream().sorted().collect(Collectors.joining(", "));
    }

    ObjectNode message(String type, @Nullable String re) {
        var message = json.createObjectNode().put("type", type);
        if (re != null) {
            message.put("re", re);
        }
        return message;
    }

    JsonNode tree(Object value) {
        return json.valueToTree(value);
    }

    String error(@Nullable String re, Refusal refusal) {
        var error = message("error", re).put("code", refusal.code()).put("reason", refusal.reason());
        if (refusal.field() != null) {
            error.put("field", refusal.field());
        }
        error.put("message", PlainText.safe(refusal.text()));
        if (refusal.retryAfterMillis() > 0) {
            error.put("retry_after_ms", refusal.retryAfterMillis());
        }
        return error.toString();
    }
}
