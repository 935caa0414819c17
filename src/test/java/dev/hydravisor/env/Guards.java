package dev.hydravisor.env;

import dev.hydravisor.audit.Audit;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.policy.Grants;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.policy.Policy;
import java.util.UUID;
import javax.sql.DataSource;
import org.springframework.beans.factory.support.StaticListableBeanFactory;
import org.springframework.jdbc.datasource.SingleConnectionDataSource;

/** The real guard, for a service that is tested by itself. */
public final class Guards {
    private Guards() {}

    /** By the policy of a home, with its trail there and in a database in memory. */
    public static Guard in(HydraHome home) {
        return new Guard(policy(home), new Audit(home, database()));
    }

    public static Policy policy(HydraHome home) {
        return new Policy(home, new StaticListableBeanFactory().getBeanProvider(Grants.class));
    }

    /** An empty trail; made when it is first used. */
    public static DataSource database() {
        return new SingleConnectionDataSource(
                "jdbc:h2:mem:" + UUID.randomUUID() + ";INIT=RUNSCRIPT FROM 'db/migration/V3__audit.sql'", true);
    }
}
