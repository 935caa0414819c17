package dev.hydravisor.launch;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.launch.endpoint.Endpoint;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.request.RequestService;
import dev.hydravisor.token.TokenRevoked;
import dev.hydravisor.token.TokenService;
import jakarta.annotation.PreDestroy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Service;

/** Opens and closes the launch endpoint. While it is closed nothing of it is loaded. */
@Service
@EnableConfigurationProperties(LaunchProperties.class)
public class LaunchService {
    private static final Logger log = LoggerFactory.getLogger(LaunchService.class);

    private final HydraHome home;
    private final LaunchProperties settings;
    private final Guard guard;
    private final ObjectProvider<TokenService> tokens;
    private final ObjectProvider<RequestService> requests;
    private @Nullable Endpoint endpoint;
    private @Nullable String trouble;

    LaunchService(
            HydraHome home,
            LaunchProperties settings,
            Guard guard,
            ObjectProvider<TokenService> tokens,
            ObjectProvider<RequestService> requests) {
        this.home = home;
        this.settings = settings;
        this.guard = guard;
        this.tokens = tokens;
        this.requests = requests;
    }

    /**
     * The endpoint as it is now.
     *
     * @param state {@code open}, {@code closed} or {@code failed}
     * @param trouble why it is not open although it should be; null when there is none
     * @param fingerprint SHA-256 of its certificate; null without TLS
     * @param counts what happened since it was opened
     */
    public record Status(
            String state,
            @Nullable String trouble,
            @Nullable String url,
            @Nullable String fingerprint,
            int connections,
            int tokens,
            int subscribers,
            int operations,
            Map<String, Long> counts,
            Bounds limits) {}

    /** The limits in force, as they are written in the configuration; sizes in bytes, spans in seconds. */
    public record Bounds(
            String handshakes,
            String messages,
            String launches,
            int operations,
            int connectionsPerToken,
            int connections,
            long messageSize,
            int nesting,
            long idle,
            long ping,
            int queue,
            long queueSize) {
        static Bounds of(LaunchProperties.Limits l) {
            return new Bounds(
                    l.handshakes().toString(),
                    l.messages().toString(),
                    l.launches().toString(),
                    l.operations(),
                    l.connectionsPerToken(),
                    l.connections(),
                    l.messageSize().toBytes(),
                    l.nesting(),
                    l.idle().toSeconds(),
                    l.ping().toSeconds(),
                    l.queue(),
                    l.queueSize().toBytes());
        }
    }

    @EventListener
    void ready(ApplicationReadyEvent event) {
        if (settings.enabled() || Files.exists(mark())) {
            try {
                open();
            } catch (HydraException e) {
                log.error("the launch endpoint is closed: {}", e.text());
            }
        }
    }

    /** Opens the endpoint, now and whenever the daemon starts; one that is open is success. */
    public Status enable() {
        return guard.act(Action.of("launch.enable", ""), () -> {
            open();
            try {
                Files.writeString(mark(), "");
            } catch (IOException e) {
                throw HydraException.failed("`" + mark() + "` cannot be written: " + e.getMessage(), e);
            }
            return status();
        });
    }

    /** Closes the endpoint and ends its connections; one that is closed is success. What was launched goes on. */
    public Status disable() {
        return guard.act(Action.of("launch.disable", ""), () -> {
            try {
                Files.deleteIfExists(mark());
            } catch (IOException e) {
                throw HydraException.failed("`" + mark() + "` cannot be removed: " + e.getMessage(), e);
            }
            close();
            return status();
        });
    }

    /** Whether the configuration has it opened at each start. */
    public boolean configured() {
        return settings.enabled();
    }

    public synchronized boolean isOpen() {
        return endpoint != null;
    }

    public synchronized Status status() {
        var open = endpoint;
        return open == null
                ? new Status(
                        trouble == null ? "closed" : "failed",
                        trouble,
                        null,
                        null,
                        0,
                        0,
                        0,
                        0,
                        Map.of(),
                        Bounds.of(settings.limits()))
                : new Status(
                        "open",
                        null,
                        open.url(),
                        open.fingerprint(),
                        open.connections(),
                        open.tokens(),
                        open.subscribers(),
                        open.operations(),
                        open.counts(),
                        Bounds.of(settings.limits()));
    }

    private synchronized void open() {
        if (endpoint == null) {
            try {
                endpoint = Endpoint.open(home, settings, tokens.getObject(), requests.getObject());
                trouble = null;
                log.info("the launch endpoint is open at {}", endpoint.url());
            } catch (HydraException e) {
                trouble = e.text();
                throw e;
            }
        }
    }

    @PreDestroy
    synchronized void close() {
        trouble = null;
        if (endpoint != null) {
            endpoint.close();
            endpoint = null;
        }
    }

    @EventListener
    synchronized void revoked(TokenRevoked event) {
        if (endpoint != null) {
            endpoint.revoked(event.id());
        }
    }

    private Path mark() {
        return home.root().resolve("launch-enabled");
    }
}
