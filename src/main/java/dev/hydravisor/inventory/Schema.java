package dev.hydravisor.inventory;

import dev.hydravisor.operation.HydraException;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.MigrationVersion;
import org.springframework.boot.flyway.autoconfigure.FlywayMigrationStrategy;
import org.springframework.stereotype.Component;

/** Brings the database to the schema this program knows, and keeps away from one that a newer program has written. */
@Component
class Schema implements FlywayMigrationStrategy {
    @Override
    public void migrate(Flyway flyway) {
        var info = flyway.info();
        var applied =
                info.current() == null ? MigrationVersion.EMPTY : info.current().getVersion();
        var known = MigrationVersion.EMPTY;
        for (var migration : info.all()) {
            var version = migration.getVersion();
            if (version != null && !migration.getState().name().contains("FUTURE") && version.compareTo(known) > 0) {
                known = version;
            }
        }
        if (applied.compareTo(known) > 0) {
            throw HydraException.failed("the database was written by a newer hydra (schema " + applied
                    + ", this one knows " + known + "); install that version, or set HYDRA_HOME to another folder");
        }
        flyway.migrate();
    }
}
