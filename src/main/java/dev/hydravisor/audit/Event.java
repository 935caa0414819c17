package dev.hydravisor.audit;

/**
 * What is to be put on record.
 *
 * @param request the id of the request it belongs to
 * @param actor as {@code user:root}, {@code model:ollama:llama3.2}, {@code token:ci}
 * @param action such as {@code vm.create}
 * @param target what it is done to: the name of an instance, an image, a recording, …
 * @param detail what else tells it from others of its kind, such as a command; may be empty
 * @param outcome {@code begun}, {@code done}, {@code failed}, {@code interrupted}, {@code denied}, {@code approved} or {@code undone}
 * @param reason why, where the outcome needs one; may be empty
 * @param rule the rule of the policy that decided, as {@code FILE:LINE}; may be empty
 * @param of the number of the record this is the outcome of; 0 for none
 */
public record Event(
        String request,
        String actor,
        String action,
        String target,
        String detail,
        String outcome,
        String reason,
        String rule,
        long of) {
    /** The same, as it turned out. */
    public Event ended(String outcome, String reason, long of) {
        return new Event(request, actor, action, target, detail, outcome, reason, rule, of);
    }
}
