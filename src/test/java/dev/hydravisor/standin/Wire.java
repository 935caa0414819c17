package dev.hydravisor.standin;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;

/** Small things every part of the stand-in needs. */
final class Wire {

    static final JsonMapper JSON = JsonMapper.builder().build();

    private Wire() {}

    /** Cuts a text into what a model would say at a time: words, each with the blank before it. */
    static List<String> tokens(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split("(?<=\\S)(?=\\s)"));
    }

    /** SHA-256 in hexadecimal digits. */
    static String digest(String text) {
        return digest(text.getBytes(StandardCharsets.UTF_8));
    }

    static String digest(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
