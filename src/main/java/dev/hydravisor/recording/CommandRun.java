package dev.hydravisor.recording;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A command that was run in a recorded shell, as far as its screen shows it: what stands after a prompt that ends in {@code $} or
 * {@code #}.
 *
 * @param time when it stood there, in seconds since the start
 * @param by {@code user}, or the model that had the shell
 * @param status its exit status; null where the shell does not mark it (OSC 133) and no model ran it
 */
public record CommandRun(
        double time, String by, String command, @Nullable Integer status) {
    private static final Pattern BY_MODEL =
            Pattern.compile("printf '\\\\33\\]7719;S%s\\\\7' ([0-9a-f]{8});eval '(.*)';printf '\\\\33\\]7719;E");
    private static final Pattern BY_USER = Pattern.compile("^[\\w.@~:/()\\[\\] +-]{0,80}[$#] +(\\S.*)$");

    /** The commands of a recording, in order. */
    static List<CommandRun> read(Archive archive, Archive.Meta meta) throws IOException, InterruptedException {
        var writers = new TreeMap<Long, String>();
        for (var entry : archive.dialog()) {
            if (entry.kind().equals("handover")) {
                writers.put(
                        (long) (entry.time() * 1e6), String.valueOf(entry.data().get("writer")));
            }
        }
        var statuses = new HashMap<String, Integer>();
        var marked = new TreeMap<Long, Integer>();
        var all = new ArrayList<CommandRun>();
        var nonces = new HashMap<Integer, String>();
        ScreenText.lines(
                archive,
                meta,
                (micros, text) -> {
                    var model = BY_MODEL.matcher(text);
                    if (model.find()) {
                        var before = writers.floorEntry(micros);
                        var by = before == null || before.getValue().isEmpty() ? "model" : before.getValue();
                        nonces.put(all.size(), model.group(1));
                        all.add(new CommandRun(micros / 1e6, by, model.group(2).replace("'\\''", "'"), null));
                        return;
                    }
                    var user = BY_USER.matcher(text);
                    if (user.find()) {
                        all.add(new CommandRun(
                                micros / 1e6, "user", user.group(1).strip(), null));
                    }
                },
                (micros, mark) -> {
                    var words = mark.split(";", -1);
                    if (mark.startsWith("7719;E") && words.length == 3) {
                        statuses.put(words[1].substring(1), number(words[2]));
                    } else if (mark.startsWith("133;D;") && words.length >= 3) {
                        marked.put(micros, number(words[2]));
                    }
                });
        for (int i = 0; i < all.size(); i++) {
            var run = all.get(i);
            var nonce = nonces.get(i);
            var next = i + 1 < all.size() ? (long) (all.get(i + 1).time() * 1e6) : Long.MAX_VALUE;
            var end = marked.ceilingEntry((long) (run.time() * 1e6));
            var status =
                    nonce != null ? statuses.get(nonce) : end != null && end.getKey() < next ? end.getValue() : null;
            all.set(i, new CommandRun(run.time(), run.by(), run.command(), status));
        }
        return all;
    }

    private static int number(String text) {
        return text.matches("\\d{1,3}") ? Integer.parseInt(text) : -1;
    }

    /**
     * A command of one or both of two recordings, in the order of both.
     *
     * @param in {@code -} for the first alone, {@code +} for the second alone, a blank for both
     * @param first its exit status in the first; null where it is unknown
     */
    public record Difference(
            String in,
            String command,
            @Nullable Integer first,
            @Nullable Integer second) {}

    /** What was run in one and not in the other, by the longest common sequence. */
    static List<Difference> diff(List<CommandRun> a, List<CommandRun> b) {
        var common = new int[a.size() + 1][b.size() + 1];
        for (int i = a.size() - 1; i >= 0; i--) {
            for (int j = b.size() - 1; j >= 0; j--) {
                common[i][j] = a.get(i).command().equals(b.get(j).command())
                        ? common[i + 1][j + 1] + 1
                        : Math.max(common[i + 1][j], common[i][j + 1]);
            }
        }
        var differences = new ArrayList<Difference>();
        int i = 0;
        int j = 0;
        while (i < a.size() || j < b.size()) {
            var one = i < a.size() ? a.get(i) : null;
            var two = j < b.size() ? b.get(j) : null;
            if (one != null && two != null && one.command().equals(two.command())) {
                differences.add(new Difference(" ", one.command(), one.status(), two.status()));
                i++;
                j++;
            } else if (one != null && (two == null || common[i + 1][j] >= common[i][j + 1])) {
                differences.add(new Difference("-", one.command(), one.status(), null));
                i++;
            } else if (two != null) {
                differences.add(new Difference("+", two.command(), null, two.status()));
                j++;
            }
        }
        return differences;
    }
}
