package dev.hydravisor.inventory;

import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.springframework.data.jpa.repository.JpaRepository;

/** The models attached to instances. */
public interface Attachments extends JpaRepository<AttachmentRow, UUID> {
    List<AttachmentRow> findByInstanceIdOrderByAttached(UUID instanceId);

    Optional<AttachmentRow> findByInstanceIdAndModel(UUID instanceId, String model);
}
