package dev.hydravisor.model;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.inventory.DialogTurns;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.persistence.autoconfigure.EntityScan;
import org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.event.EventListener;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.data.jpa.repository.config.EnableJpaRepositories;

/** The models and dialogs with a database of their own, as the daemon has them; closed and opened again like it. */
public final class DialogFixture implements AutoCloseable {
    /** The part of the application that dialogs need. */
    @ImportAutoConfiguration({
        DataSourceAutoConfiguration.class,
        FlywayAutoConfiguration.class,
        HibernateJpaAutoConfiguration.class,
        TransactionAutoConfiguration.class
    })
    @ComponentScan(basePackages = {"dev.hydravisor.model", "dev.hydravisor.policy", "dev.hydravisor.audit"})
    @EntityScan(basePackageClasses = DialogTurns.class)
    @EnableJpaRepositories(basePackageClasses = DialogTurns.class)
    static class Part {
        final List<DialogTurn> published = new CopyOnWriteArrayList<>();

        @EventListener
        void published(DialogTurn turn) {
            published.add(turn);
        }
    }

    private final ConfigurableApplicationContext context;

    private DialogFixture(ConfigurableApplicationContext context) {
        this.context = context;
    }

    /** Opens the database in a folder, and all on top of it; {@code properties} are {@code name=value}. */
    public static DialogFixture open(Path folder, String... properties) {
        var all = new ArrayList<String>();
        all.add("spring.datasource.url=jdbc:h2:async:" + folder.resolve("dialogs") + ";DB_CLOSE_ON_EXIT=FALSE");
        all.add("spring.jpa.hibernate.ddl-auto=none");
        all.add("spring.main.banner-mode=off");
        all.add("logging.level.root=warn");
        all.addAll(Arrays.asList(properties));
        var context = new SpringApplicationBuilder(Part.class)
                .web(WebApplicationType.NONE)
                .initializers(c -> ((GenericApplicationContext) c)
                        .registerBean(HydraHome.class, () -> new HydraHome(folder.resolve("home"))))
                .run(all.stream().map(p -> "--" + p).toArray(String[]::new));
        return new DialogFixture(context);
    }

    public Dialogs dialogs() {
        return context.getBean(Dialogs.class);
    }

    public Models models() {
        return context.getBean(Models.class);
    }

    /** Whatever bean is of this type. */
    public <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    /** The bean of this type and name. */
    public <T> T bean(Class<T> type, String name) {
        return context.getBean(name, type);
    }

    /** The events so far. */
    public List<DialogTurn> published() {
        return context.getBean(Part.class).published;
    }

    /** The environment of a client whose Ollama is there. */
    public static Endpoint at(String url) {
        return new Endpoint(Map.of("OLLAMA_HOST", url));
    }

    /** What was said in a dialog: {@code role finish: content}. */
    public static Stream<String> said(List<DialogTurn> turns) {
        return turns.stream()
                .map(t -> (t.role() + " " + t.finish() + ": ").toLowerCase(java.util.Locale.ROOT) + t.content());
    }

    @Override
    public void close() {
        context.close();
    }
}
