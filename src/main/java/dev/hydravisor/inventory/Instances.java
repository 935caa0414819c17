package dev.hydravisor.inventory;

import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;
import org.springframework.transaction.annotation.Transactional;

/** The instances that were asked for. */
public interface Instances extends JpaRepository<InstanceRow, UUID> {
    Optional<InstanceRow> findByName(String name);

    List<InstanceRow> findAllByOrderByName();

    /** Says that its create succeeded. */
    @Modifying
    @Transactional
    @Query("update InstanceRow i set i.complete = true where i.id = :id")
    void markComplete(UUID id);
}
