package dev.hydravisor.model;

/**
 * Something a model may ask to be done.
 *
 * @param description what it does, for the model
 * @param schema of its arguments, as JSON Schema
 */
public record Tool(String name, String description, String schema) {}
