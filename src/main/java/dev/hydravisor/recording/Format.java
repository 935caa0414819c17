package dev.hydravisor.recording;

/** What a recording can be exported as. */
public enum Format {
    /** asciicast, version 2. */
    CAST,
    /** asciicast, version 3. */
    CAST_V3,
    /** The text, as a person read it. */
    TXT,
    /** The terminal's bytes, unchanged. */
    RAW,
    /** The dialog, a JSON object a line. */
    JSONL;

    /** As it is written on a command line, such as {@code cast-v3}. */
    public String word() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
}
