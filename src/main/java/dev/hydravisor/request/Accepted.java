package dev.hydravisor.request;

import java.util.UUID;

/**
 * A launch that is on its way, or was.
 *
 * @param state {@code running}, {@code ready} or {@code failed}
 * @param event the number of the last event of the token before those of this launch that follow
 */
public record Accepted(UUID launch, String key, String name, String state, long event) {}
