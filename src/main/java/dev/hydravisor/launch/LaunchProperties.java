package dev.hydravisor.launch;

import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * Settings of the launch endpoint.
 *
 * @param address it listens on; any but a loopback address needs TLS
 * @param port 0 for any that is free
 * @param hosts names by which clients may call this host, beside its address and the loopback's
 * @param origins of web pages that may connect, such as {@code https://console.example.com}; empty for none
 */
@ConfigurationProperties("launch")
public record LaunchProperties(
        @DefaultValue("false") boolean enabled,
        @DefaultValue("127.0.0.1") String address,
        @DefaultValue("7620") int port,
        @DefaultValue List<String> hosts,
        @DefaultValue List<String> origins,
        @DefaultValue Tls tls,
        @DefaultValue Limits limits,
        @DefaultValue Client client) {

    /**
     * What {@code launch send} does unless told otherwise; each empty for nothing.
     *
     * @param url of another host's endpoint
     * @param tokenFile a file with the token's secret
     * @param fingerprint of its certificate, SHA-256
     */
    public record Client(
            @DefaultValue("") String url,
            @DefaultValue("") String tokenFile,
            @DefaultValue("") String fingerprint) {}

    /**
     * @param certificate a PEM file, with those that vouch for it behind it; empty for none
     * @param key a PEM file of its key
     * @param selfSigned makes one under {@code $HYDRA_HOME/keys} where no certificate is given
     */
    public record Tls(
            @DefaultValue("") String certificate,
            @DefaultValue("") String key,
            @DefaultValue("false") boolean selfSigned) {
        /** Whether connections are encrypted. */
        public boolean on() {
            return selfSigned || !certificate.isEmpty();
        }
    }

    /**
     * @param handshakes from one address
     * @param messages of one token
     * @param launches of one token
     * @param operations of one token at once: launches, stops and deletes
     * @param connectionsPerToken at once
     * @param connections at once, of all tokens
     * @param messageSize of one message of a client
     * @param nesting how deep a message may be
     * @param idle how long a connection may ask nothing, unless it subscribed
     * @param ping how often a silent client is asked whether it lives; one that does not answer before the next is dropped
     * @param queue messages that wait for a client that reads slowly
     * @param queueSize as {@code queue}, in bytes
     */
    public record Limits(
            @DefaultValue("60/1m") Rate handshakes,
            @DefaultValue("600/1m") Rate messages,
            @DefaultValue("30/1m") Rate launches,
            @DefaultValue("4") int operations,
            @DefaultValue("32") int connectionsPerToken,
            @DefaultValue("1024") int connections,
            @DefaultValue("64KB") DataSize messageSize,
            @DefaultValue("16") int nesting,
            @DefaultValue("5m") Duration idle,
            @DefaultValue("30s") Duration ping,
            @DefaultValue("256") int queue,
            @DefaultValue("1MB") DataSize queueSize) {}
}
