package dev.hydravisor.audit;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Service;
import org.springframework.transaction.CannotCreateTransactionException;

/**
 * The audit trail, kept twice: as lines of {@code $HYDRA_HOME/logs/audit.jsonl} and as rows of the database. Each record holds the hash of
 * the one before.
 *
 * <p>A record is written to the file first, through to the disk, then to the database; when either fails it is taken back from the file
 * and the caller is told. So a crash can leave but two traces, an unfinished last line and a last line that is no row; both are mended,
 * and noted in a record of their own, before the next record is written.
 */
@Service
public class Audit {
    /** The action of a record that says what was mended. */
    static final String MENDED = "audit.mend";

    private static final Logger log = LoggerFactory.getLogger(Audit.class);

    private final HydraHome home;
    private final Rows rows;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition added = lock.newCondition();
    /** The last record; null when there is none, or the stores were not looked at yet. */
    private @Nullable Entry last;
    /** How long the file is, in bytes; negative when the stores must be looked at. */
    private long length = -1;

    public Audit(HydraHome home, DataSource database) {
        this.home = home;
        this.rows = new Rows(JdbcClient.create(database));
    }

    /**
     * Adds a record. It is on the disk, in both stores, when this returns.
     *
     * @throws HydraException FAILED when it could not be written; then it is in neither
     */
    public Entry append(Event event) {
        return locked(() -> {
            if (length < 0 || length != Lines.size(file())) {
                mend();
            }
            return write(event);
        });
    }

    /** The last records, at most so many, the oldest first. */
    public List<Entry> last(int most) {
        return rows.last(most);
    }

    /** Every record as a line of JSON, the oldest first, as it stands in the file. */
    public void export(Consumer<String> lines) {
        long number = 0;
        List<Entry> page;
        while (!(page = rows.page(number, Rows.PAGE)).isEmpty()) {
            page.forEach(e -> lines.accept(e.canonical()));
            number = page.getLast().number();
        }
    }

    /**
     * Gives each record as it is added, until this thread is interrupted.
     *
     * @param after the number of the record behind which to begin
     */
    public void follow(long after, Consumer<Entry> records) throws InterruptedException {
        var number = after;
        while (true) {
            var page = rows.page(number, Rows.PAGE);
            page.forEach(records);
            if (!page.isEmpty()) {
                number = page.getLast().number();
                continue;
            }
            lock.lockInterruptibly();
            try {
                var there = last;
                if (there == null || there.number() <= number) {
                    added.await();
                }
            } finally {
                lock.unlock();
            }
        }
    }

    /** Looks through both stores as they are now, and compares them; nothing is mended. */
    public Verified verify() {
        return locked(() -> {
            try {
                return new Verification(rows, file()).run();
            } catch (IOException | DataAccessException e) {
                throw HydraException.failed("the audit trail cannot be read: " + PlainText.safe(e.toString()), e);
            }
        });
    }

    private Entry write(Event event) {
        var entry = Entry.after(last, event);
        var line = (entry.canonical() + "\n").getBytes(StandardCharsets.US_ASCII);
        var before = length;
        length = -1; // unless all goes well
        try (var out = open()) {
            try {
                out.seek(before);
                out.write(line);
                rows.insert(entry);
            } catch (IOException | RuntimeException e) {
                out.setLength(before);
                throw e;
            }
        } catch (IOException | DataAccessException | CannotCreateTransactionException | UncheckedIOException e) {
            throw failed(e);
        }
        length = before + line.length;
        last = entry;
        added.signalAll();
        return entry;
    }

    /** Brings the stores to the same end, and says in the trail what was done. */
    private void mend() {
        try {
            var tail = Lines.tail(file());
            if (tail.torn() > 0) {
                try (var out = open()) {
                    out.setLength(tail.length());
                }
            }
            var stored = rows.last();
            var written = tail.last();
            var from = stored == null ? 0 : stored.number();
            var to = written == null ? 0 : written.number();
            var note = new StringBuilder();
            if (tail.torn() > 0) {
                note.append("an unfinished last line of ")
                        .append(tail.torn())
                        .append(" bytes was cut off the file: ")
                        .append(tail.text());
            }
            if (to > from) {
                note(note, adopt(stored, to));
            } else if (from > to) {
                note(note, restore(to, tail.length()));
            } else if (stored != null && !stored.equals(written)) {
                note(note, "record " + from + " differs between the file and the database");
            }
            length = Lines.size(file());
            last = rows.last();
            if (!note.isEmpty()) {
                log.warn("audit trail: {}", note);
                write(new Event("", "hydra", MENDED, file().toString(), note.toString(), "done", "", "", 0));
            }
        } catch (IOException | DataAccessException | CannotCreateTransactionException e) {
            length = -1;
            throw failed(e);
        }
    }

    private static void note(StringBuilder notes, String note) {
        notes.append(notes.isEmpty() ? "" : "; ").append(note);
    }

    /** Lines that are no rows yet become rows, as far as they follow. */
    private String adopt(@Nullable Entry stored, long to) throws IOException {
        var at = new Entry[] {stored};
        var first = stored == null ? 1 : stored.number() + 1;
        Lines.read(file(), (_, line) -> {
            var entry = Entry.read(line);
            var before = at[0];
            if (entry != null
                    && entry.number() == (before == null ? 1 : before.number() + 1)
                    && entry.previous().equals(before == null ? Entry.NONE : before.hash())
                    && entry.isSound()) {
                rows.insert(entry);
                at[0] = entry;
            }
        });
        var reached = at[0] == null ? 0 : at[0].number();
        return reached < first
                ? "the lines from record " + first + " to " + to + " of the file do not follow on the database"
                : "the database took record " + first + (reached > first ? " to " + reached : "") + " from the file";
    }

    /** Rows that are no lines become lines again. */
    private String restore(long from, long at) throws IOException {
        try (var out = open()) {
            out.seek(at);
            var number = from;
            List<Entry> page;
            while (!(page = rows.page(number, Rows.PAGE)).isEmpty()) {
                for (var entry : page) {
                    out.write((entry.canonical() + "\n").getBytes(StandardCharsets.US_ASCII));
                    number = entry.number();
                }
            }
            return "record " + (from + 1) + (number > from + 1 ? " to " + number : "")
                    + " was gone from the file, and written there again from the database";
        }
    }

    /** Each write is on the disk before it returns. */
    private RandomAccessFile open() throws IOException {
        var file = file();
        if (!Files.exists(file)) {
            Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        } else if (!Files.isRegularFile(file)) {
            throw new IOException("it is no file");
        }
        return new RandomAccessFile(file.toFile(), "rwd");
    }

    private Path file() {
        return home.logs().resolve("audit.jsonl");
    }

    private HydraException failed(Exception e) {
        var cause = Objects.requireNonNullElse(e.getMessage(), e.toString());
        return HydraException.failed(
                "the audit trail `" + file() + "` cannot be written (" + PlainText.safe(cause)
                        + "), and what is not on record is not done; make room or give the file back, and try again",
                e);
    }

    /** An interrupt ends what a user asked for, not the record of it. */
    private <T extends @Nullable Object> T locked(java.util.function.Supplier<T> work) {
        var interrupted = Thread.interrupted();
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
