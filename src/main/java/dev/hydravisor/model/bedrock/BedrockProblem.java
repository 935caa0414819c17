package dev.hydravisor.model.bedrock;

/** What an answer of Bedrock's had instead of events. */
final class BedrockProblem extends RuntimeException {
    enum Kind {
        /** What answers is no Bedrock; the text is the content type. */
        FOREIGN,
        /** The stream ended before the answer did. */
        CUT
    }

    final Kind kind;

    BedrockProblem(Kind kind, String text) {
        super(text);
        this.kind = kind;
    }
}
