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
    JSONL,
    /** The terminal's bytes that draw, at once: for a pager that knows colours. */
    ANSI,
    /** One page with asciinema's player inside, which needs no network. */
    HTML,
    /** One animated picture. */
    SVG,
    /** The whole folder. */
    TAR;

    /** True when it can be written as text. */
    public boolean isText() {
        return this != RAW && this != TAR;
    }

    /** As it is written on a command line, such as {@code cast-v3}. */
    public String word() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
}
