package dev.hydravisor.agent;

import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.model.Hands;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.policy.Guard;
import dev.hydravisor.workspace.Shells;
import java.util.Optional;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.stereotype.Service;

/** Lends models hands in the workspaces of instances that hydra made. */
@Service
@EnableConfigurationProperties(Limits.class)
public class AgentService {
    private final InstanceService instances;
    private final Shells shells;
    private final Guard guard;
    private final Limits limits;

    AgentService(InstanceService instances, Shells shells, Guard guard, Limits limits) {
        this.instances = instances;
        this.shells = shells;
        this.guard = guard;
        this.limits = limits;
    }

    /**
     * The hands of a model in an instance's workspace; empty when hydra made no such instance.
     *
     * @param approver is asked where the policy says so, for as long as these hands are lent
     */
    public Optional<Hands> hands(String instance, Approver approver) {
        return instances.names().contains(instance)
                ? Optional.of(new WorkspaceHands(
                        instance,
                        new Tools(instances.find(instance), instances, shells),
                        shells,
                        guard,
                        limits,
                        approver))
                : Optional.empty();
    }

    /** Gives the shell of a workspace to the user: no model types until {@link #give}. */
    public void take(String instance) {
        shells.take(instance);
    }

    /** Lets models have the shell again. */
    public void give(String instance) {
        shells.give(instance);
    }

    /**
     * What the shell shows.
     *
     * @throws HydraException UNAVAILABLE when it is not open
     */
    public String screen(String instance) {
        return shells.screen(instance, 0);
    }
}
