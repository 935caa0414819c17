package dev.hydravisor.audit;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;

/** The trail in the database. */
final class Rows {
    static final int PAGE = 500;

    private static final String FIELDS =
            "number, time, request, actor, action, target, detail, outcome, reason, rule, of, previous, hash";

    private final JdbcClient database;

    Rows(JdbcClient database) {
        this.database = database;
    }

    void insert(Entry e) {
        database.sql("insert into audit (" + FIELDS + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .params(
                        e.number(),
                        e.time(),
                        e.request(),
                        e.actor(),
                        e.action(),
                        e.target(),
                        e.detail(),
                        e.outcome(),
                        e.reason(),
                        e.rule(),
                        e.of(),
                        e.previous(),
                        e.hash())
                .update();
    }

    @Nullable
    Entry last() {
        return database.sql("select " + FIELDS + " from audit order by number desc limit 1")
                .query(Entry.class)
                .optional()
                .orElse(null);
    }

    List<Entry> last(int most) {
        return database.sql(
                        "select * from (select " + FIELDS + " from audit order by number desc limit ?) order by number")
                .param(most)
                .query(Entry.class)
                .list();
    }

    /** Those after a number, by number. */
    List<Entry> page(long after, int most) {
        return database.sql("select " + FIELDS + " from audit where number > ? order by number limit ?")
                .params(after, most)
                .query(Entry.class)
                .list();
    }
}
