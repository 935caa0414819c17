package dev.hydravisor.wire;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a client says of itself.
 *
 * @param version of the client; the daemon serves its own version only
 * @param workingDirectory what relative paths are relative to
 * @param terminals which of the streams 0, 1 and 2 are terminals, such as {@code 02}
 * @param columns width of the window; 0 when there is none
 * @param rows height of the window; 0 when there is none
 * @param environment the variables that matter, of those that are set
 * @param arguments the command line, verbatim
 */
public record Hello(
        String version,
        String workingDirectory,
        String terminals,
        int columns,
        int rows,
        Map<String, String> environment,
        List<String> arguments) {

    public Frame frame() {
        var fields = new ArrayList<>(List.of(
                version,
                workingDirectory,
                terminals,
                String.valueOf(columns),
                String.valueOf(rows),
                String.valueOf(environment.size())));
        environment.forEach((name, value) -> {
            fields.add(name);
            fields.add(value);
        });
        fields.addAll(arguments);
        return new Frame(Frame.Type.HELLO, Fields.encode(fields));
    }

    /** @throws WireException when the frame is no hello */
    public static Hello of(Frame frame) throws WireException {
        if (frame.type() != Frame.Type.HELLO) {
            throw new WireException("expected HELLO, not " + frame.type());
        }
        var fields = Fields.decode(frame.payload());
        try {
            var environment = new LinkedHashMap<String, String>();
            var variables = Integer.parseInt(fields.get(5));
            for (int i = 0; i < variables; i++) {
                environment.put(fields.get(6 + 2 * i), fields.get(7 + 2 * i));
            }
            return new Hello(
                    fields.get(0),
                    fields.get(1),
                    fields.get(2),
                    Integer.parseInt(fields.get(3)),
                    Integer.parseInt(fields.get(4)),
                    environment,
                    List.copyOf(fields.subList(6 + 2 * variables, fields.size())));
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new WireException("torn HELLO");
        }
    }
}
