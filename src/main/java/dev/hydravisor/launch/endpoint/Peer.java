package dev.hydravisor.launch.endpoint;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.launch.LaunchProperties.Limits;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import dev.hydravisor.request.Accepted;
import dev.hydravisor.request.Event;
import dev.hydravisor.request.Follower;
import dev.hydravisor.request.Refusal;
import dev.hydravisor.request.RequestService;
import dev.hydravisor.token.Token;
import jakarta.websocket.Session;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.socket.BinaryMessage;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.PingMessage;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketHandler;
import org.springframework.web.socket.WebSocketMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.adapter.standard.StandardWebSocketSession;

/** One client: what it sends is judged and done, what it is told goes through its outbox. */
final class Peer implements WebSocketHandler, Outbox.Sender {
    static final int POLICY = 1008;
    static final int GOING_AWAY = 1001;

    private static final Logger log = LoggerFactory.getLogger(Peer.class);
    private static final int TOO_BIG = 1009;
    private static final int TOO_SLOW = 1013;
    /** A client may come in pieces, but not in crumbs. */
    private static final int MOST_PARTS = 1000;
    /** How long one message may take to be sent before the client counts as gone. */
    private static final Duration SEND_LIMIT = Duration.ofSeconds(5);

    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);
    private static final Duration HANDSHAKE_LIMIT = Duration.ofSeconds(10);

    private final Token token;
    private final RequestService requests;
    private final Limits limits;
    private final Messages messages;
    private final Meter meter;
    private final Meter.OfToken gate;
    private final Consumer<Peer> gone;
    private final Outbox outbox;
    private final long begun = System.nanoTime();

    private final StringBuilder text = new StringBuilder();
    private int bytes;
    private int parts;
    private int refusedInARow;

    private volatile @Nullable WebSocketSession session;
    private volatile @Nullable Follower follower;
    private volatile long heard = begun;
    private volatile long asked = begun;
    private volatile long pinged = begun;
    private volatile boolean closing;

    Peer(Token token, RequestService requests, Limits limits, Messages messages, Meter meter, Consumer<Peer> gone) {
        this.token = token;
        this.requests = requests;
        this.limits = limits;
        this.messages = messages;
        this.meter = meter;
        this.gate = meter.token(token.id());
        this.gone = gone;
        this.outbox = new Outbox(this, limits.queue(), limits.queueSize().toBytes());
    }

    Token token() {
        return token;
    }

    boolean subscribed() {
        var listening = follower;
        return listening != null && listening.hearsAll();
    }

    @Override
    public void afterConnectionEstablished(WebSocketSession opened) {
        var properties = Objects.requireNonNull(((StandardWebSocketSession) opened).getNativeSession(Session.class))
                .getUserProperties();
        properties.put(org.apache.tomcat.websocket.Constants.BLOCKING_SEND_TIMEOUT_PROPERTY, SEND_LIMIT.toMillis());
        properties.put(org.apache.tomcat.websocket.Constants.SESSION_CLOSE_TIMEOUT_PROPERTY, CLOSE_LIMIT.toMillis());
        session = opened;
        follower = requests.follow(
                token, events -> outbox.putAll(events.stream().map(Event::body).toList()));
        if (closing) {
            outbox.close(POLICY, "closed");
        }
    }

    @Override
    public boolean supportsPartialMessages() {
        return true; // so that a silent client holds a small buffer, not one for the largest message
    }

    @Override
    public void handleMessage(WebSocketSession from, WebSocketMessage<?> message) {
        heard = System.nanoTime();
        switch (message) {
            case TextMessage part -> part(part);
            case BinaryMessage _ -> end(CloseStatus.NOT_ACCEPTABLE.getCode(), null, "text frames only");
            default -> {}
        }
    }

    private void part(TextMessage part) {
        if (closing) {
            return;
        }
        bytes += part.getPayload().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > limits.messageSize().toBytes() || ++parts > MOST_PARTS) {
            meter.count("too_large");
            end(
                    TOO_BIG,
                    new Refusal(
                            413,
                            "too_large",
                            null,
                            "a message may have " + limits.messageSize().toBytes() + " bytes, in at most " + MOST_PARTS
                                    + " parts"),
                    "message too large");
            return;
        }
        text.append(part.getPayload());
        if (part.isLast()) {
            var whole = text.toString();
            text.setLength(0);
            text.trimToSize();
            bytes = 0;
            parts = 0;
            asked = heard;
            message(whole);
        }
    }

    private void message(String whole) {
        try {
            gate.message();
            refusedInARow = 0;
        } catch (Refusal e) {
            outbox.put(messages.error(null, e));
            // Who goes on regardless is not spoken to any longer.
            if (++refusedInARow > limits.messages().count()) {
                end(POLICY, null, "too many messages");
            }
            return;
        }
        meter.count("messages");
        String id = null;
        try {
            var read = messages.read(whole);
            id = read.id();
            if (read.refusal() != null) {
                throw read.refusal();
            }
            var asked = Objects.requireNonNull(read.asked());
            Request.of(Actor.token(token.name())).run(() -> answer(asked));
        } catch (HydraException e) {
            refuse(id, Refusal.of(e));
        } catch (RuntimeException e) {
            refuse(id, RequestService.defect(e));
        }
    }

    private void refuse(@Nullable String id, Refusal refusal) {
        meter.count("refused");
        outbox.put(messages.error(id, refusal));
    }

    private void answer(Asked message) {
        var id = message.id();
        var listening = follower;
        if (listening == null) {
            return; // it has just gone
        }
        switch (message) {
            case Asked.Ping _ -> outbox.put(messages.message("pong", id).toString());
            case Asked.Instances _ -> {
                require("list");
                var list = messages.message("instances", id);
                list.set("instances", messages.tree(requests.list(token)));
                outbox.put(list.toString());
            }
            case Asked.Show show -> {
                require("show");
                var one = messages.message("instance", id);
                one.set("instance", messages.tree(requests.show(token, show.name())));
                outbox.put(one.toString());
            }
            case Asked.Launch launch -> {
                require("launch");
                requests.launch(
                        token,
                        launch.ask(token.scope()),
                        launch.after() == null ? 0 : launch.after(),
                        gate,
                        listening,
                        a -> outbox.put(accepted(id, a)));
            }
            case Asked.Cancel cancel -> {
                require("cancel");
                requests.cancel(token, cancel.key());
                outbox.put(messages.message("cancelling", id)
                        .put("key", cancel.key())
                        .toString());
            }
            case Asked.Stop stop -> {
                require("stop");
                requests.stop(
                        token,
                        stop.name(),
                        Duration.ofSeconds(stop.seconds()),
                        Boolean.TRUE.equals(stop.force()),
                        gate,
                        failure -> done(id, failure));
            }
            case Asked.Delete delete -> {
                require("delete");
                requests.delete(
                        token, delete.name(), Boolean.TRUE.equals(delete.force()), gate, failure -> done(id, failure));
            }
            case Asked.Subscribe subscribe -> {
                require("subscribe");
                listening.all(
                        subscribe.after() == null ? -1 : subscribe.after(),
                        last -> outbox.put(messages.message("subscribed", id)
                                .put("event", last)
                                .toString()));
            }
        }
    }

    private void require(String verb) {
        if (!token.scope().allows(verb)) {
            throw new Refusal(403, "not_allowed", "type", "this token may not `" + verb + "`");
        }
    }

    private String accepted(String id, Accepted a) {
        return messages.message("accepted", id)
                .put("launch", a.launch().toString())
                .put("key", a.key())
                .put("name", a.name())
                .put("state", a.state())
                .put("event", a.event())
                .toString();
    }

    private void done(String id, @Nullable Refusal failure) {
        if (failure == null) {
            outbox.put(messages.message("done", id).toString());
        } else {
            refuse(id, failure);
        }
    }

    /** Looks after the connection: called about once a second. */
    void look(long now) {
        if (session == null) {
            if (now - begun > HANDSHAKE_LIMIT.toNanos()) {
                gone.accept(this);
            }
            return;
        }
        if (closing) {
            return;
        }
        var expires = token.expires();
        if (expires != null && !Instant.now().isBefore(expires)) {
            end(POLICY, new Refusal(401, "expired", null, "this token has expired"), "token expired");
        } else if (now - asked > limits.idle().toNanos() && !subscribed()) {
            meter.count("dropped_idle");
            end(GOING_AWAY, null, "idle");
        } else if (now - heard > 2 * limits.ping().toNanos()) {
            // Nothing came for so long, not even the answer to a ping: nobody is there.
            meter.count("dropped_dead");
            closing = true;
            outbox.discard();
            Thread.ofVirtual().start(() -> close(GOING_AWAY, "no answer"));
        } else if (now - heard > limits.ping().toNanos()
                && now - pinged > limits.ping().toNanos()) {
            pinged = now;
            outbox.ping();
        }
    }

    /** Tells why, if it is to be told, and closes; nothing it sends is heard any more. */
    void end(int code, @Nullable Refusal why, String reason) {
        closing = true;
        if (why != null) {
            outbox.putAll(List.of(messages.error(null, why)));
        }
        outbox.close(code, reason);
    }

    @Override
    public void lost() {
        if (!closing) {
            closing = true;
            meter.count("dropped_slow");
            outbox.discard();
            // Apart: it waits for what is being sent.
            Thread.ofVirtual().start(() -> close(TOO_SLOW, "too slow"));
        }
    }

    @Override
    public void text(String text) throws IOException {
        var open = session;
        if (open != null) {
            open.sendMessage(new TextMessage(text));
        }
    }

    @Override
    public void ping() throws IOException {
        var open = session;
        if (open != null) {
            open.sendMessage(new PingMessage());
        }
    }

    @Override
    public void close(int code, String reason) {
        var open = session;
        try {
            if (open != null) {
                open.close(new CloseStatus(code, reason));
            }
        } catch (IOException | RuntimeException e) {
            log.debug("a client could not be closed: {}", e.toString());
        } finally {
            gone.accept(this);
        }
    }

    @Override
    public void handleTransportError(WebSocketSession from, Throwable exception) {
        log.debug("a client went away: {}", PlainText.safe(exception.toString()));
    }

    @Override
    public void afterConnectionClosed(WebSocketSession from, CloseStatus status) {
        closing = true;
        outbox.discard();
        var listening = follower;
        if (listening != null) {
            listening.close();
        }
        gone.accept(this);
    }
}
