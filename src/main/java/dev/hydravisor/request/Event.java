package dev.hydravisor.request;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Something a token is told.
 *
 * @param number of the token's events, from 1; 0 for one that is not kept, such as progress
 * @param launch it belongs to; null for what happened outside of launches
 * @param body a JSON object
 */
public record Event(long number, @Nullable UUID launch, String body) {}
