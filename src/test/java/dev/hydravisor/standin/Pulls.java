package dev.hydravisor.standin;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.databind.node.ObjectNode;

/**
 * Downloads, as {@code /api/pull} tells of them. What came stays, whatever ends a pull: the next one of the same name
 * goes on from there. Options in the tag: {@code size}, bytes of the model's weights (8,000,000), and {@code gap}, ms
 * between two lines of progress (20); a whole download of the weights takes 20 of them.
 *
 * <p>A name that is installed or was at the start is found complete; one that is neither and in no row fails with
 * {@code pull model manifest: file does not exist}.
 */
final class Pulls {

    /** Where a download ends before its end. */
    private enum End {
        WELL,
        CUT_ONCE,
        ERROR_ONCE,
        STALL,
        NO_MANIFEST
    }

    /** Names that can be pulled and what the user sees. */
    static final Map<String, String> ROWS = rows();

    private static Map<String, String> rows() {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("fresh", "a download that ends well");
        rows.put("fresh-cut", "the first time the connection is closed half way, then the rest");
        rows.put("fresh-error", "the first time an error line half way, then the rest");
        rows.put("fresh-stall", "progress until half way, then nothing more");
        rows.put("fresh-offline", "an error line instead of a manifest, as without a network");
        return rows;
    }

    private static final int STEPS = 20;

    private final Catalogue catalogue;
    private final Set<String> failedOnce = ConcurrentHashMap.newKeySet();

    Pulls(Catalogue catalogue) {
        this.catalogue = catalogue;
    }

    /** Says lines of progress to the client, or keeps only the last for it. */
    private static final class Progress {
        private final LoopbackServer.Exchange exchange;
        private final boolean stream;
        private ObjectNode last = Wire.JSON.createObjectNode();

        Progress(LoopbackServer.Exchange exchange, boolean stream) {
            this.exchange = exchange;
            this.stream = stream;
        }

        void status(String status) throws IOException {
            line(Wire.JSON.createObjectNode().put("status", status));
        }

        void layer(String digest, long total, long completed) throws IOException {
            ObjectNode node = Wire.JSON.createObjectNode().put("status", "pulling " + digest.substring(0, 12));
            node.put("digest", "sha256:" + digest).put("total", total);
            line(completed > 0 ? node.put("completed", completed) : node);
        }

        void error(String error) throws IOException {
            ObjectNode node = Wire.JSON.createObjectNode().put("error", error);
            if (stream) {
                line(node);
                exchange.endStream();
            } else {
                exchange.send(500, Reply.JSON, Map.of(), bytes(node));
            }
        }

        void end() throws IOException {
            if (stream) {
                exchange.endStream();
            } else {
                exchange.send(200, Reply.JSON, Map.of(), bytes(last));
            }
        }

        private void line(ObjectNode node) throws IOException {
            last = node;
            if (stream) {
                exchange.beginStream(Reply.NDJSON);
                exchange.chunk(bytes(node));
            }
        }

        private static byte[] bytes(ObjectNode node) {
            return (Wire.JSON.writeValueAsString(node) + "\n").getBytes(StandardCharsets.UTF_8);
        }
    }

    void pull(LoopbackServer.Exchange exchange, String name, boolean stream) throws IOException, InterruptedException {
        Progress progress = new Progress(exchange, stream);
        String full = Catalogue.full(name);
        String base = full.split(":")[0];
        Options options = Options.of(full.substring(full.indexOf(':') + 1));
        End end = end(base);
        progress.status("pulling manifest");
        Catalogue.Model model = catalogue.inLibrary(full).orElse(null);
        if (end == End.NO_MANIFEST) {
            progress.error("pull model manifest: dial tcp: lookup registry.invalid: no such host");
            return;
        }
        if (model == null) {
            progress.error("pull model manifest: file does not exist");
            return;
        }
        long size = ROWS.containsKey(base) ? options.get("size", 8_000_000) : model.size();
        Map<String, Long> layers = new LinkedHashMap<>();
        layers.put(Wire.digest(full + " weights"), size);
        layers.put(Wire.digest(full + " template"), 1429L);
        layers.put(Wire.digest(full + " config"), 487L);
        for (Map.Entry<String, Long> layer : layers.entrySet()) {
            String digest = layer.getKey();
            long total = layer.getValue();
            if (!ROWS.containsKey(base)) {
                catalogue.downloaded(digest, total);
            }
            long step = Math.max(1500, total / STEPS);
            progress.layer(digest, total, catalogue.downloaded(digest));
            while (catalogue.downloaded(digest) < total) {
                exchange.pause(options.get("gap", 20));
                catalogue.downloaded(digest, Math.min(total, catalogue.downloaded(digest) + step));
                progress.layer(digest, total, catalogue.downloaded(digest));
                boolean halfway = total == size && catalogue.downloaded(digest) >= total / 2;
                if (halfway && end == End.STALL) {
                    exchange.hold();
                }
                if (halfway && end != End.WELL && failedOnce.add(full)) {
                    if (end == End.CUT_ONCE) {
                        exchange.breakOff(false);
                    }
                    progress.error("max retries exceeded: unexpected EOF");
                    return;
                }
            }
        }
        progress.status("verifying sha256 digest");
        progress.status("writing manifest");
        catalogue.install(model, size);
        progress.status("success");
        progress.end();
    }

    private static End end(String base) {
        return switch (base) {
            case "fresh-cut" -> End.CUT_ONCE;
            case "fresh-error" -> End.ERROR_ONCE;
            case "fresh-stall" -> End.STALL;
            case "fresh-offline" -> End.NO_MANIFEST;
            default -> End.WELL;
        };
    }
}
