package dev.hydravisor.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hydravisor.env.Guards;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.jdbc.core.simple.JdbcClient;

class AuditTest {
    @TempDir
    private Path folder = Path.of("/");

    private DataSource database = Guards.database();
    private Path file = Path.of("/");

    @BeforeEach
    void place() {
        file = new HydraHome(folder).logs().resolve("audit.jsonl");
    }

    @Test
    void recordsStandInBothStoresEachWithTheHashOfTheOneBefore() throws IOException {
        var entries = write(3);
        assertThat(entries).extracting(Entry::number).containsExactly(1L, 2L, 3L);
        assertThat(entries.get(0).previous()).isEqualTo("0".repeat(64));
        assertThat(entries.get(2).previous()).isEqualTo(entries.get(1).hash());
        assertThat(lines()).isEqualTo(entries.stream().map(Entry::canonical).toList());
        assertThat(audit().last(2)).isEqualTo(entries.subList(1, 3));
        assertThat(audit().verify()).isEqualTo(new Verified(3, entries.get(2).hash(), List.of(), List.of()));
    }

    @Test
    void anEmptyTrailIsInOrder() {
        assertThat(audit().verify().ok()).isTrue();
    }

    @Test
    void noTextForgesALineOrReachesATerminal() throws IOException {
        var nasty = "web\r\n{\"number\":9}\n\u001b[2J\u009b31m\u2028\u202e\u0000 \ud83d\ude00 \ud83d";
        audit().append(event(nasty));
        assertThat(Files.readString(file).chars()).allMatch(c -> c == '\n' || (c >= ' ' && c < 0x7f));
        assertThat(lines()).hasSize(1);
        assertThat(audit().last(1).getFirst().target()).startsWith("web\r\n{").contains("\ud83d\ude00");
        assertThat(audit().verify().problems()).isEmpty();
    }

    @Test
    void aTextWithoutAnEndIsCut() {
        assertThat(audit().append(event("x".repeat(100_000))).target()).hasSize(8192);
        assertThat(audit().verify().problems()).isEmpty();
    }

    @Test
    void anyChangeOfARowIsNamed() {
        write(5);
        for (var column : List.of(
                "time",
                "request",
                "actor",
                "action",
                "target",
                "detail",
                "outcome",
                "reason",
                "rule",
                "previous",
                "hash")) {
            var before = sql("select " + column + " from audit where number = 3");
            JdbcClient.create(database)
                    .sql("update audit set " + column + " = 'x' where number = 3")
                    .update();
            assertThat(audit().verify().problems().getFirst())
                    .as(column)
                    .isEqualTo("row 3 of the database (record 3) was changed: its hash does not fit it");
            JdbcClient.create(database)
                    .sql("update audit set " + column + " = ? where number = 3")
                    .param(before)
                    .update();
        }
        assertThat(audit().verify().problems()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "delete from audit where number = 3",
                "update audit set number = 9 where number = 3",
                "update audit set number = case number when 3 then 4 else 3 end where number in (3, 4)",
            })
    void aRowThatIsGoneOrMovedIsNamed(String change) {
        write(5);
        if (change.contains("case")) {
            // Two steps: a number stands but once.
            sql("update audit set number = 99 where number = 3");
            sql("update audit set number = 3 where number = 4");
            sql("update audit set number = 4 where number = 99");
        } else {
            sql(change);
        }
        assertThat(audit().verify().problems().getFirst())
                .startsWith("row ")
                .containsAnyOf("record 4 where 3 should be", "hash does not fit");
    }

    @Test
    void anyChangeOfALineIsNamed() throws IOException {
        write(5);
        var original = Files.readString(file);
        var line = lines().get(2);
        var from = original.indexOf(line);
        for (int i = 0; i < line.length(); i++) {
            var changed = new StringBuilder(original);
            changed.setCharAt(from + i, line.charAt(i) == '7' ? '8' : '7');
            Files.writeString(file, changed);
            assertThat(audit().verify().problems()).as("%s at %d", line, i).isNotEmpty();
            assertThat(audit().verify().problems().getFirst()).contains("line 3 of the file");
        }
    }

    @Test
    void linesThatAreGoneMovedAddedOrCutAreNamed() throws IOException {
        write(5);
        var lines = lines();
        var gone = new ArrayList<>(lines);
        gone.remove(2);
        assertThat(problem(gone))
                .isEqualTo("line 3 of the file is record 4 where 3 should be: records are gone or were moved");
        var moved = new ArrayList<>(lines);
        Collections.swap(moved, 2, 3);
        assertThat(problem(moved)).startsWith("line 3 of the file is record 4 where 3 should be");
        var twice = new ArrayList<>(lines);
        twice.add(2, lines.get(1));
        assertThat(problem(twice)).startsWith("line 3 of the file is record 2 where 3 should be");
        var added = new ArrayList<>(lines);
        added.add(2, "");
        assertThat(problem(added)).isEqualTo("line 3 of the file is no record: it was changed");
        assertThat(problem(lines.subList(0, 3)))
                .isEqualTo("the file ends with record 3, the database with 5: the end of the file is gone");
        Files.delete(file);
        assertThat(audit().verify().problems())
                .containsExactly("the file ends with record 0, the database with 5: the end of the file is gone");
    }

    @Test
    void aRecordThatWasMadeAnewInOneStoreIsNamedThoughItsHashFits() throws IOException {
        var entries = write(5);
        var forged = Entry.after(entries.get(3), event("another"));
        var lines = new ArrayList<>(lines().subList(0, 4));
        lines.add(forged.canonical());
        assertThat(problem(lines))
                .isEqualTo("record 5 is not the same in the file and in the database: one was made anew");
    }

    @Test
    void rowsThatAreGoneFromTheEndAreNamed() {
        write(5);
        sql("delete from audit where number > 3");
        assertThat(audit().verify().problems())
                .containsExactly("the database ends with record 3, the file with 5: the end of the database is gone");
    }

    @Test
    void anUnfinishedLastLineIsCutOffAndNoted() throws IOException {
        write(2);
        Files.writeString(file, "{\"number\":3,\"ti\u001b[31m", StandardOpenOption.APPEND);
        assertThat(audit().verify().problems()).containsExactly("the last line of the file is unfinished");
        var audit = audit();
        audit.append(event("web"));
        assertThat(audit.verify().problems()).isEmpty();
        assertThat(audit.verify().records()).isEqualTo(4);
        assertThat(audit.verify().notes())
                .singleElement()
                .asString()
                .contains(
                        "record 3, ",
                        "an unfinished last line of 20 bytes was cut off the file: {\"number\":3,\"ti?[31m");
    }

    @Test
    void aLineThatACrashKeptFromTheDatabaseIsTakenIn() throws IOException {
        write(3);
        sql("delete from audit where number = 3");
        var audit = audit();
        audit.append(event("web"));
        assertThat(audit.verify().problems()).isEmpty();
        assertThat(audit.verify().records()).isEqualTo(5);
        assertThat(audit.verify().notes())
                .singleElement()
                .asString()
                .endsWith("the database took record 3 from the file");
    }

    @Test
    void linesThatVanishedAreWrittenAgainAndThatStaysOnRecord() throws IOException {
        var audit = audit();
        write(4);
        Files.writeString(file, String.join("\n", lines().subList(0, 1)) + "\n");
        audit.append(event("web"));
        Files.delete(file);
        audit.append(event("web"));
        assertThat(audit.verify().problems()).isEmpty();
        assertThat(audit.verify().notes())
                .satisfiesExactly(
                        n -> assertThat(n).contains("record 2 to 4 was gone from the file"),
                        n -> assertThat(n).contains("record 1 to 6 was gone from the file"));
    }

    @Test
    void whatCannotBeWrittenIsInNeitherStore() throws IOException {
        var audit = audit();
        audit.append(event("one"));
        sql("alter table audit rename to hidden");
        assertThatThrownBy(() -> audit.append(event("two")))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining(
                        "what is not on record is not done; make room or give the file back, and try again");
        assertThat(lines()).hasSize(1);
        sql("alter table hidden rename to audit");
        assertThat(audit.append(event("three")).number()).isEqualTo(2);
        Files.delete(file);
        Files.createDirectory(file);
        assertThatThrownBy(() -> audit.append(event("four"))).isInstanceOf(HydraException.class);
        assertThat(audit.last(9)).hasSize(2);
        Files.delete(file);
        audit.append(event("five"));
        assertThat(audit.verify().problems()).isEmpty();
    }

    @Test
    void aFullDiskIsTold() throws IOException {
        Files.createSymbolicLink(file, Path.of("/dev/full"));
        assertThatThrownBy(() -> audit().append(event("web"))).hasMessageContaining("it is no file");
    }

    @Test
    void manyWritersMakeOneChain() throws InterruptedException {
        var audit = audit();
        var start = new CountDownLatch(1);
        var threads = IntStream.range(0, 8)
                .mapToObj(t -> Thread.ofPlatform().start(() -> {
                    try {
                        start.await();
                    } catch (InterruptedException e) {
                        return;
                    }
                    for (int i = 0; i < 25; i++) {
                        // An interrupt is for the work, not for its record.
                        Thread.currentThread().interrupt();
                        audit.append(event("t" + t));
                    }
                }))
                .toList();
        start.countDown();
        for (var thread : threads) {
            thread.join();
        }
        assertThat(audit.verify()).satisfies(v -> {
            assertThat(v.records()).isEqualTo(200);
            assertThat(v.problems()).isEmpty();
        });
    }

    @Test
    void whoeverFollowsHearsOfEachRecord() throws InterruptedException {
        var audit = audit();
        audit.append(event("before"));
        var heard = Collections.synchronizedList(new ArrayList<String>());
        var two = new CountDownLatch(2);
        var follower = Thread.ofVirtual().start(() -> {
            try {
                audit.follow(1, e -> {
                    heard.add(e.target());
                    two.countDown();
                });
            } catch (InterruptedException e) {
                // told to end
            }
        });
        audit.append(event("one"));
        audit.append(event("two"));
        two.await();
        follower.interrupt();
        follower.join();
        assertThat(heard).containsExactly("one", "two");
    }

    /** Any one change of any byte of a chain of any texts is found. */
    @Test
    void noByteOfTheFileCanBeChangedUnseen() throws IOException {
        var random = new Random(7);
        var audit = audit();
        for (int i = 0; i < 20; i++) {
            audit.append(event(random.ints(random.nextInt(40), 0, 0x3000)
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                    .toString()));
        }
        var original = Files.readAllBytes(file);
        assertThat(audit.verify().problems()).isEmpty();
        for (int i = 0; i < 300; i++) {
            var changed = original.clone();
            var at = random.nextInt(changed.length);
            changed[at] ^= (byte) (1 << random.nextInt(7));
            Files.write(file, changed);
            assertThat(audit.verify().problems()).as("byte %d", at).isNotEmpty();
        }
    }

    private List<Entry> write(int count) {
        var audit = audit();
        return IntStream.rangeClosed(1, count)
                .mapToObj(i -> audit.append(event("web" + i)))
                .toList();
    }

    private String problem(List<String> lines) throws IOException {
        Files.writeString(file, String.join("\n", lines) + "\n");
        return audit().verify().problems().getFirst();
    }

    private Audit audit() {
        return new Audit(new HydraHome(folder), database);
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(file);
    }

    private String sql(String statement) {
        var client = JdbcClient.create(database);
        if (statement.startsWith("select")) {
            return client.sql(statement).query(String.class).single();
        }
        return "" + client.sql(statement).update();
    }

    private static Event event(String target) {
        return new Event("r1", "user:ann", "vm.create", target, "image x", "begun", "", "policy.yaml:3", 0);
    }
}
