package dev.hydravisor.instance;

/**
 * What a running instance uses.
 *
 * @param cpuNanos processor time since it was started, nanoseconds
 * @param memory of the host, bytes
 */
public record Usage(long cpuNanos, long memory) {}
