package dev.hydravisor.workspace;

/** An application event: workspaces were opened, closed or changed; which, {@link WorkspaceService#list} says. */
public record WorkspacesChanged() {}
