package dev.hydravisor.token;

/** An application event: this token opens nothing any more. */
public record TokenRevoked(String id) {}
