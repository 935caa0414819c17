package dev.hydravisor.model.ollama;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** What an answer of Ollama's had instead of tokens. */
final class OllamaProblem extends RuntimeException {
    enum Kind {
        /** Ollama says that it failed; the status is 200 when it says so in mid-stream. */
        ERROR,
        /** What answers is no Ollama; the text is the content type. */
        FOREIGN,
        /** A line is no JSON. */
        GARBLED,
        /** The stream ended before the answer did. */
        CUT
    }

    final Kind kind;
    final int status;
    final transient @Nullable Duration retryAfter;

    OllamaProblem(Kind kind, int status, String text, @Nullable Duration retryAfter, @Nullable Throwable cause) {
        super(text, cause);
        this.kind = kind;
        this.status = status;
        this.retryAfter = retryAfter;
    }

    OllamaProblem(Kind kind, String text) {
        this(kind, 200, text, null, null);
    }
}
