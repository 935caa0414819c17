package dev.hydravisor.inventory;

import java.util.UUID;
import org.springframework.data.jpa.repository.JpaRepository;

/** The workspaces that were opened and not closed. */
public interface Workspaces extends JpaRepository<WorkspaceRow, UUID> {}
