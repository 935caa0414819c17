package dev.hydravisor.recording;

import dev.hydravisor.recorder.Chain;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Compares recordings with their manifests. A manifest covers files that only grow part by part, others whole; it is a chain, and
 * the ledger of all recordings says how each chain ended: so what is cut off at the end is missed too.
 */
final class Verification {
    /** The files that only grow. */
    static final String[] GROWING = {Archive.RAW, Archive.INDEX, Archive.RESIZES, Archive.DIALOG};

    /** Ends a line of the ledger about a recording whose end was signed. */
    static final String SIGNED = "signed";

    private static final Set<String> GROW = Set.of(GROWING);

    /** A part of a file, by its line in the manifest. */
    private record Part(String name, long from, long to, String digest) {
        static @Nullable Part parse(String line) {
            var w = line.split(" ", -1);
            try {
                return w.length == 5 ? new Part(w[1], Long.parseLong(w[2]), Long.parseLong(w[3]), w[4]) : null;
            } catch (NumberFormatException e) {
                return null;
            }
        }
    }

    private Verification() {}

    static Verified verify(Archive archive, Recording recording, Chain.Read ledger, Signer signer) throws IOException {
        var problems = new ArrayList<String>();
        var id = archive.folder().getFileName().toString();
        var manifest = new Chain(archive.file(Archive.MANIFEST), id).read();
        if (manifest.problem() != null) {
            problems.add(manifest.problem());
        }
        var whole = new LinkedHashMap<String, Part>();
        var until = new HashMap<String, Long>();
        var ended = false;
        var contents = new HashMap<String, Content>();
        for (var line : manifest.lines()) {
            var part = Part.parse(line);
            ended = line.endsWith(" end");
            if (part == null) {
                continue;
            }
            if (!GROW.contains(part.name())) {
                whole.put(part.name(), part);
                continue;
            }
            var from = until.getOrDefault(part.name(), 0L);
            if (part.from() != from) {
                problems.add(part.name() + " has a hole in its manifest at byte " + from);
            }
            check(contents.computeIfAbsent(part.name(), name -> new Content(archive, name)), part, problems);
            until.put(part.name(), part.to());
        }
        for (var part : whole.values()) {
            // Of one still open, the daemon may have died between writing it and saying so.
            if (ended || part.name().equals(Archive.META) && recording.end() == null) {
                var content = new Content(archive, part.name());
                check(content, part, problems);
                if (size(content, problems) > part.to()) {
                    problems.add(part.name() + " was changed: it is longer than it was");
                }
            }
        }
        long sealed = 0;
        long unsealed = 0;
        for (var name : GROWING) {
            var size = size(contents.computeIfAbsent(name, n -> new Content(archive, n)), problems);
            var to = until.getOrDefault(name, 0L);
            sealed += to;
            unsealed += Math.max(0, size - to);
            if (ended && size > to) {
                problems.add(name + " was changed: " + (size - to) + " bytes were added after the end");
            }
        }
        var known = ledger.lines().stream()
                .filter(l -> l.startsWith(id + " ended "))
                .reduce((_, last) -> last);
        var words = known.map(l -> l.split(" ", -1)).orElse(new String[0]);
        if (words.length > 2 && !words[2].equals(manifest.last())) {
            problems.add("its manifest is not the one of its end: it was replaced, or lines were cut off");
        } else if (recording.state() == Recording.State.ENDED && !ended) {
            problems.add(manifest.lines().isEmpty() ? "it has no manifest" : "its manifest was cut off at the end");
        }
        var signed = "";
        if (Files.exists(archive.file(Archive.SIGNATURE))) {
            try {
                signed = signer.check(Files.readString(archive.file(Archive.SIGNATURE)), id, manifest.last());
            } catch (IOException e) {
                problems.add(String.valueOf(e.getMessage()));
            }
        } else if (words.length > 3 && words[3].equals(SIGNED)) {
            problems.add("its signature was removed");
        }
        return new Verified(
                id, sealed, unsealed, signed, problems.stream().distinct().toList());
    }

    /** What the ledger says there was and is no more. */
    static List<String> missing(Chain.Read ledger, Set<String> there) {
        var problems = new ArrayList<String>();
        if (ledger.problem() != null) {
            problems.add(ledger.problem());
        }
        var expected = new HashSet<String>();
        for (var line : ledger.lines()) {
            var words = line.split(" ", -1);
            if (words.length > 1 && words[1].equals("deleted")) {
                expected.remove(words[0]);
            } else {
                expected.add(words[0]);
            }
        }
        expected.stream()
                .filter(id -> !there.contains(id))
                .sorted()
                .forEach(id -> problems.add(id + " is gone, though nobody deleted it"));
        return problems;
    }

    /** Seals what no line of the manifest covers yet: what a recorder that was killed had written last. */
    static void sealRest(Archive archive, Chain manifest, long micros, String... names) throws IOException {
        Map<String, Long> until = new HashMap<>();
        for (var line : manifest.read().lines()) {
            var part = Part.parse(line);
            if (part != null && GROW.contains(part.name())) {
                until.put(part.name(), part.to());
            }
        }
        var parts = new ArrayList<String>();
        for (var name : names) {
            var size = Files.exists(archive.file(name)) ? Files.size(archive.file(name)) : 0;
            var from = until.getOrDefault(name, 0L);
            if (size > from) {
                parts.add(Chain.part(micros, name, from, size, digest(archive.file(name), from, size)));
            }
        }
        if (!parts.isEmpty()) {
            manifest.append(parts);
        }
    }

    /** A file's content, compressed or not, read once from its start to its end. */
    private static final class Content {
        private final Archive archive;
        private final String name;
        private @Nullable InputStream in;
        private long at;

        Content(Archive archive, String name) {
            this.archive = archive;
            this.name = name;
        }

        boolean exists() {
            return archive.has(name);
        }

        /** The digest from here to there, or to the end before; null where there is no more. */
        byte @Nullable [] digest(long from, long to) throws IOException {
            var stream = in;
            if (stream == null || from < at) {
                close();
                stream = archive.open(name);
                in = stream;
                at = 0;
            }
            at += skip(stream, from - at);
            var digest = Chain.sha256();
            var block = new byte[1 << 16];
            while (at < to) {
                var read = stream.read(block, 0, (int) Math.min(block.length, to - at));
                if (read < 0) {
                    return null;
                }
                digest.update(block, 0, read);
                at += read;
            }
            return at == to ? digest.digest() : null;
        }

        /** How much there is in all. */
        long size() throws IOException {
            if (Files.exists(archive.file(name))) {
                close();
                return Files.size(archive.file(name));
            }
            digest(at, Long.MAX_VALUE);
            close();
            return at;
        }

        private static long skip(InputStream from, long count) throws IOException {
            long skipped = 0;
            for (long once; skipped < count && (once = from.skip(count - skipped)) > 0; ) {
                skipped += once;
            }
            return skipped;
        }

        private void close() throws IOException {
            if (in != null) {
                in.close();
                in = null;
            }
        }
    }

    private static void check(Content content, Part part, List<String> problems) throws IOException {
        if (!content.exists()) {
            if (part.to() > 0) {
                problems.add(part.name() + " was removed");
            }
            return;
        }
        try {
            var digest = content.digest(part.from(), part.to());
            if (digest == null) {
                problems.add(part.name() + " was cut off: it has " + content.size() + " bytes of " + part.to());
            } else if (!Chain.hex(digest).equals(part.digest())) {
                problems.add(part.name() + " was changed between byte " + part.from() + " and " + part.to());
            }
        } catch (ZipException | EOFException e) {
            problems.add(part.name() + Archive.PACKED + " was changed: it cannot be decompressed");
        }
    }

    private static long size(Content content, List<String> problems) throws IOException {
        try {
            return content.size();
        } catch (ZipException | EOFException e) {
            problems.add(content.name + Archive.PACKED + " was changed: it cannot be decompressed");
            return 0;
        }
    }

    /** The digest of a part of a file, up to its end at most. */
    static byte[] digest(Path file, long from, long to) throws IOException {
        var digest = Chain.sha256();
        try (var in = Files.newInputStream(file)) {
            in.skipNBytes(from);
            var block = new byte[1 << 16];
            for (var at = from; at < to; ) {
                var read = in.read(block, 0, (int) Math.min(block.length, to - at));
                if (read < 0) {
                    break;
                }
                digest.update(block, 0, read);
                at += read;
            }
        }
        return digest.digest();
    }
}
