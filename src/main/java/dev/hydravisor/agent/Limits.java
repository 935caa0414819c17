package dev.hydravisor.agent;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What one task of a model may take, from a question to its answer.
 *
 * @param steps tool calls
 * @param time from the question on, what the user takes to approve included
 * @param tokens of all turns together, questions and answers
 */
@ConfigurationProperties("agent")
record Limits(
        @DefaultValue("25") int steps,
        @DefaultValue("15m") Duration time,
        @DefaultValue("200000") long tokens) {}
