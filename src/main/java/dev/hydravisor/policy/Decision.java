package dev.hydravisor.policy;

/**
 * What the policy says.
 *
 * @param reason why, in one line that can be told to a user and to a model
 * @param rule the deciding rule as {@code FILE:LINE}, or who else holds it, such as a token; empty when no rule fits
 */
public record Decision(Effect effect, String reason, String rule) {
    /** The reason with its rule. */
    public String told() {
        return rule.isEmpty() ? reason : reason + " (" + rule + ")";
    }
}
