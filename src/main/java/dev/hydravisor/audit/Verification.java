package dev.hydravisor.audit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One look through both stores: each by itself, and against the other. */
final class Verification {
    private final Rows rows;
    private final Path file;
    private final List<String> problems = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    /** Rows yet to be met by a line. */
    private final Deque<Entry> waiting = new ArrayDeque<>();

    private long fetched;

    Verification(Rows rows, Path file) {
        this.rows = rows;
        this.file = file;
    }

    /** One store's chain, as far as it was followed. */
    private final class Walk {
        private final String store;
        private @Nullable Entry last;
        /** Whether what stood before is known. */
        private boolean known = true;

        Walk(String store) {
            this.store = store;
        }

        void broken(String place) {
            problem(place + " of the " + store + " is no record: it was changed");
            known = false;
        }

        void take(String place, Entry entry) {
            var before = last;
            var number = before == null ? 0 : before.number();
            if (!entry.isSound()) {
                problem(place + " of the " + store + " (record " + entry.number()
                        + ") was changed: its hash does not fit it");
            } else if (known && entry.number() != number + 1) {
                problem(place + " of the " + store + " is record " + entry.number() + " where " + (number + 1)
                        + " should be: records are gone or were moved");
            } else if (known && !entry.previous().equals(before == null ? Entry.NONE : before.hash())) {
                problem(place + " of the " + store + " (record " + entry.number() + ") does not follow on record "
                        + number + ": one of them was changed");
            }
            known = true;
            last = entry;
        }

        long number() {
            return last == null ? 0 : last.number();
        }
    }

    Verified run() throws IOException {
        var lines = new Walk("file");
        Lines.read(file, (number, line) -> {
            var entry = Entry.read(line);
            if (entry == null) {
                lines.broken("line " + number);
                return;
            }
            lines.take("line " + number, entry);
            compare(entry);
        });
        if (Files.isRegularFile(file) && Lines.tail(file).torn() > 0) {
            problem("the last line of the file is unfinished");
        }
        var stored = new Walk("database");
        List<Entry> page;
        while (!(page = rows.page(stored.number(), Rows.PAGE)).isEmpty()) {
            for (var entry : page) {
                stored.take("row " + entry.number(), entry);
                if (entry.action().equals(Audit.MENDED)) {
                    notes.add("record " + entry.number() + ", " + entry.time() + ": " + entry.detail());
                }
            }
        }
        ends("file", lines.number(), "database", stored.number());
        ends("database", stored.number(), "file", lines.number());
        var last = stored.last;
        return new Verified(
                Math.max(lines.number(), stored.number()), last == null ? Entry.NONE : last.hash(), problems, notes);
    }

    private void ends(String one, long end, String other, long more) {
        if (end < more) {
            problem("the " + one + " ends with record " + end + ", the " + other + " with " + more + ": the end of the "
                    + one + " is gone");
        }
    }

    /** Two records that are each right by themselves and are not the same: one was made anew. */
    private void compare(Entry line) {
        while (waiting.isEmpty() || waiting.getLast().number() < line.number()) {
            var page = rows.page(fetched, Rows.PAGE);
            if (page.isEmpty()) {
                break;
            }
            waiting.addAll(page);
            fetched = page.getLast().number();
        }
        while (!waiting.isEmpty() && waiting.getFirst().number() < line.number()) {
            waiting.removeFirst();
        }
        var row = waiting.peekFirst();
        if (row != null && row.number() == line.number() && !row.equals(line) && row.isSound() && line.isSound()) {
            problem("record " + line.number() + " is not the same in the file and in the database: one was made anew");
        }
    }

    private void problem(String what) {
        if (problems.size() < Verified.MOST) {
            problems.add(what);
        }
    }
}
