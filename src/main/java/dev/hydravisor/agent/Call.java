package dev.hydravisor.agent;

import java.util.HashMap;
import java.util.Map;

/**
 * A tool that a model asked for, its arguments checked.
 *
 * @param subjectName the argument that the policy judges: a command, a path or a text
 */
record Call(String tool, String subjectName, Map<String, String> arguments) {
    String subject() {
        return get(subjectName);
    }

    String get(String argument) {
        return arguments.getOrDefault(argument, "");
    }

    boolean editable() {
        return tool.equals(Tools.RUN_COMMAND);
    }

    Call with(String subject) {
        var changed = new HashMap<>(arguments);
        changed.put(subjectName, subject);
        return new Call(tool, subjectName, Map.copyOf(changed));
    }
}
