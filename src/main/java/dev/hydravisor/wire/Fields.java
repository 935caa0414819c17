package dev.hydravisor.wire;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A list of strings as the payload of a frame: for each its length in bytes (four bytes, big endian) and its UTF-8. */
public final class Fields {
    private Fields() {}

    public static byte[] encode(List<String> fields) {
        try {
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            for (var field : fields) {
                var utf8 = field.getBytes(StandardCharsets.UTF_8);
                out.writeInt(utf8.length);
                out.write(utf8);
            }
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new AssertionError("a byte array does not fail", e);
        }
    }

    /** @throws WireException when the payload is torn */
    public static List<String> decode(byte[] payload) throws WireException {
        try {
            var in = new DataInputStream(new ByteArrayInputStream(payload));
            var fields = new ArrayList<String>();
            while (in.available() > 0) {
                var length = in.readInt();
                if (length < 0 || length > in.available()) {
                    throw new WireException("torn field");
                }
                fields.add(new String(in.readNBytes(length), StandardCharsets.UTF_8));
            }
            return fields;
        } catch (WireException e) {
            throw e;
        } catch (IOException e) {
            throw new WireException("torn field");
        }
    }
}
