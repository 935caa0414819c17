package dev.hydravisor.recording;

import java.util.List;
import java.util.Map;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Reads a line of JSON as plain lists and maps. */
final class JsonLines {
    private final JsonMapper mapper = new JsonMapper();

    List<Object> list(String line) {
        return mapper.readValue(line, new TypeReference<>() {});
    }

    Map<String, Object> map(String line) {
        return mapper.readValue(line, new TypeReference<>() {});
    }
}
