package dev.hydravisor.recording;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;

/** A recording as the events of asciicast, read in constant memory from bytes, index, resizes and dialog. */
final class Events {
    private static final int PIECE = 1 << 16;

    /** Takes the events in order. */
    @FunctionalInterface
    interface Sink {
        /**
         * @param micros since the start of the recording
         * @param code {@code o} output, {@code r} resize ({@code 80x24}), {@code m} marker
         * @param data whole characters: one that arrived in two parts is in the later event; bytes that are no UTF-8 are U+FFFD
         */
        void event(long micros, char code, String data) throws IOException, InterruptedException;
    }

    private final Sink sink;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private final ByteBuffer bytes = ByteBuffer.allocate(PIECE + 8);
    private final CharBuffer chars = CharBuffer.allocate(PIECE + 8);
    private final ArrayDeque<Archive.Aside> asides;

    private Events(Archive archive, Sink sink) throws IOException {
        this.sink = sink;
        this.asides = new ArrayDeque<>(archive.asides());
    }

    /** Reads all there is now; of a recording still running, up to this moment. */
    static void read(Archive archive, Sink sink) throws IOException, InterruptedException {
        var size = archive.bytes();
        try (var index = archive.index();
                InputStream raw = size == 0
                        ? InputStream.nullInputStream()
                        : new BufferedInputStream(archive.open(Archive.RAW), PIECE)) {
            new Events(archive, sink).read(index, raw, size);
        }
    }

    private void read(Archive.IndexReader index, InputStream raw, long size) throws IOException, InterruptedException {
        long at = 0;
        long micros = 0;
        for (var entry = index.next(); entry != null; entry = index.next()) {
            at = output(micros, raw, at, Math.min(entry.offset(), size));
            micros = entry.micros();
            asidesUntil(micros);
            if (entry.lost() != null) {
                sink.event(
                        micros,
                        'm',
                        entry.lost().equals("?")
                                ? "gap: the recorder was restarted"
                                : "gap: " + entry.lost() + " bytes lost");
            }
        }
        output(micros, raw, at, size);
        decode(micros, true);
        asidesUntil(Long.MAX_VALUE);
    }

    /** Passes on the bytes from one offset to another, which all arrived at this time. */
    private long output(long micros, InputStream raw, long from, long to) throws IOException, InterruptedException {
        long at = from;
        while (at < to) {
            var read = raw.read(
                    bytes.array(), bytes.position(), (int) Math.min(Math.min(PIECE, bytes.remaining()), to - at));
            if (read < 0) {
                return at;
            }
            bytes.position(bytes.position() + read);
            at += read;
            decode(micros, false);
        }
        return at;
    }

    private void decode(long micros, boolean end) throws IOException, InterruptedException {
        bytes.flip();
        decoder.decode(bytes, chars, end);
        bytes.compact();
        if (end) {
            decoder.flush(chars);
        }
        var text = chars.flip().toString();
        chars.clear();
        if (!text.isEmpty()) {
            sink.event(micros, 'o', text);
        }
    }

    private void asidesUntil(long micros) throws IOException, InterruptedException {
        for (var next = asides.peek(); next != null && next.micros() <= micros; next = asides.peek()) {
            asides.remove();
            sink.event(next.micros(), next.code(), next.data());
        }
    }
}
