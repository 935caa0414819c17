package dev.hydravisor.recording;

/**
 * What a recording is of.
 *
 * @param kind {@code vm} or {@code container}
 * @param imageDigest of the image it was made from, as {@code sha256:…}; empty where it is not known
 * @param user who started the session: a user of this host, or {@code token:} and a token's name
 * @param cols width of the pane in columns
 * @param title one line for people
 */
public record Begin(
        String instance,
        String instanceId,
        String kind,
        String image,
        String imageDigest,
        String user,
        int cols,
        int rows,
        String title) {}
