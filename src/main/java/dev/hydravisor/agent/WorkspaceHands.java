package dev.hydravisor.agent;

import dev.hydravisor.agent.Approver.Answer;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.model.Hands;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Tool;
import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Request;
import dev.hydravisor.policy.Action;
import dev.hydravisor.policy.Decision;
import dev.hydravisor.policy.Effect;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.workspace.Shells;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hands of the models of one dialog: each call passes the policy, then the user where that says so, is done, and leaves its marks in
 * the recording. Whatever fails is told to the model.
 */
final class WorkspaceHands implements Hands {
    private static final Logger log = LoggerFactory.getLogger(WorkspaceHands.class);

    private final String instance;
    private final Tools tools;
    private final Shells shells;
    private final Guard guard;
    private final Limits limits;
    private final Approver approver;
    private final Set<Granted> granted = new HashSet<>();

    private record Granted(String tool, Map<String, String> arguments) {}

    WorkspaceHands(String instance, Tools tools, Shells shells, Guard guard, Limits limits, Approver approver) {
        this.instance = instance;
        this.tools = tools;
        this.shells = shells;
        this.guard = guard;
        this.limits = limits;
        this.approver = approver;
    }

    @Override
    public List<Tool> tools() {
        return Tools.ALL;
    }

    @Override
    public String briefing() {
        return tools.briefing();
    }

    @Override
    public Task begin(ModelRef model, @Nullable String preset) {
        return new WorkspaceTask(model.toString(), preset, Request.current());
    }

    private final class WorkspaceTask implements Task {
        private final String model;
        private final @Nullable String preset;
        private final Request asked;
        private final Instant start = Instant.now();
        private int steps;
        private long tokens;

        /** @param asked by whom the model was asked, who also approves */
        WorkspaceTask(String model, @Nullable String preset, Request asked) {
            this.model = model;
            this.preset = preset;
            this.asked = asked;
        }

        @Override
        public void turn(long taken) {
            tokens += taken;
            requireWithinLimits();
        }

        @Override
        public String use(String tool, String arguments) throws InterruptedException {
            requireWithinLimits();
            steps++;
            Call call;
            try {
                call = tools.call(tool, arguments);
            } catch (HydraException e) {
                return "error: " + e.text();
            }
            try {
                return asked.as(Actor.model(model)).call(() -> decide(call));
            } catch (HydraException e) {
                if (e.exitCode() == ExitCode.INTERRUPTED || e instanceof LimitReached) {
                    throw e;
                }
                mark("tool_result", "tool", "`" + tool + "` failed: " + e.text(), Map.of());
                return "error: " + e.text();
            } catch (RuntimeException e) {
                log.error("the tool `{}` failed", tool, e);
                return "error: the tool itself failed; try another way";
            }
        }

        @Override
        public void close() {
            shells.release(instance, model);
        }

        private String decide(Call call) throws InterruptedException {
            var action = action(call);
            Decision decision;
            try {
                decision = guard.judge(action);
            } catch (HydraException e) {
                guard.denied(action, new Decision(Effect.DENY, e.text(), ""), e.text());
                throw e;
            }
            mark(
                    "tool_call",
                    "assistant",
                    call.tool() + " " + call.subject(),
                    Map.of("tool", call.tool(), "arguments", call.arguments(), "policy", word(decision.effect())));
            if (decision.effect() == Effect.DENY) {
                return refused(call, action, decision) + "; do not try it again";
            }
            var allowed =
                    decision.effect() == Effect.ALLOW || granted.contains(new Granted(call.tool(), call.arguments()));
            if (allowed) {
                approver.tell(call.tool() + " " + call.subject());
                return perform(
                        call,
                        action,
                        decision,
                        decision.effect() == Effect.ALLOW ? "" : "approved always by " + asked.actor());
            }
            var answer = approver.ask(new Approver.Request(
                    call.tool(), call.subject(), tools.detail(call), decision.reason(), call.editable()));
            return switch (answer) {
                case Answer.No() -> {
                    guard.denied(action, decision, asked.actor() + " said no");
                    mark("denial", "user", "the user said no", Map.of("tool", call.tool()));
                    yield "denied by the user; ask what to do instead";
                }
                case Answer.Once() -> perform(call, action, decision, approved(call, "once"));
                case Answer.Always() -> {
                    var how = approved(call, "always");
                    granted.add(new Granted(call.tool(), call.arguments()));
                    yield perform(call, action, decision, how);
                }
                case Answer.Instead(String subject) -> {
                    var edited = call.with(subject);
                    var instead = action(edited);
                    var second = guard.judge(instead);
                    if (second.effect() == Effect.DENY) {
                        yield refused(edited, instead, second);
                    }
                    var how = approved(edited, "edited");
                    yield "the user changed this to `" + subject + "`.\n" + perform(edited, instead, second, how);
                }
            };
        }

        private Action action(Call call) {
            return Action.on(call.tool(), instance).subject(call.subject());
        }

        private String refused(Call call, Action action, Decision decision) {
            guard.denied(action, decision, decision.reason());
            approver.tell("denied: " + call.tool() + " " + call.subject() + " (" + decision.reason() + ")");
            mark("denial", "system", decision.reason(), Map.of("tool", call.tool()));
            return "denied by policy: " + decision.reason();
        }

        private String approved(Call call, String how) {
            mark("approval", "user", "approved " + how + ": " + call.tool() + " " + call.subject(), Map.of("how", how));
            return "approved " + how + " by " + asked.actor();
        }

        private String perform(Call call, Action action, Decision decision, String how) throws InterruptedException {
            requireWithinLimits();
            var result =
                    guard.approved(action, decision, how, () -> tools.perform(call, model, left(), approver::tell));
            mark("tool_result", "tool", PlainText.shorten(result), Map.of("tool", call.tool(), "result", result));
            return result;
        }

        private Duration left() {
            return limits.time().minus(Duration.between(start, Instant.now()));
        }

        private void requireWithinLimits() {
            if (steps >= limits.steps()) {
                throw stopped(limits.steps() + " steps", "agent.steps");
            }
            if (left().isNegative()) {
                throw stopped(limits.time().toMinutes() + " minutes", "agent.time");
            }
            if (tokens > limits.tokens()) {
                throw stopped(limits.tokens() + " tokens", "agent.tokens");
            }
        }

        private HydraException stopped(String limit, String setting) {
            mark("limit", "system", "the task reached its limit of " + limit, Map.of("setting", setting));
            return new LimitReached("the task reached its limit of " + limit + "; /retry lets the model go on, "
                    + setting + " in config.yaml sets the limit");
        }

        private void mark(String kind, String role, String text, Map<String, Object> attributes) {
            var all = new HashMap<>(attributes);
            all.put("model", model);
            if (preset != null) {
                all.put("preset", preset);
            }
            try {
                shells.mark(instance, kind, role, text, all);
            } catch (HydraException e) {
                // What cannot be recorded must not be done.
                throw HydraException.failed("the recording cannot be written: " + e.text(), e);
            }
        }
    }

    /** Ends the task, where other errors are told to the model. */
    private static final class LimitReached extends HydraException {
        LimitReached(String message) {
            super(ExitCode.FAILED, message);
        }
    }

    private static String word(Effect effect) {
        return effect.name().toLowerCase(java.util.Locale.ROOT);
    }
}
