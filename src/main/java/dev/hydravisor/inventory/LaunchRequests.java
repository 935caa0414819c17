package dev.hydravisor.inventory;

import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;
import org.springframework.transaction.annotation.Transactional;

/** What tokens asked to be launched. */
public interface LaunchRequests extends JpaRepository<LaunchRequestRow, UUID> {
    Optional<LaunchRequestRow> findByTokenIdAndIdempotencyKey(String tokenId, String idempotencyKey);

    List<LaunchRequestRow> findByState(String state);

    List<LaunchRequestRow> findByInstanceIdNotNull();

    /** Says which instance it is that a launch makes. */
    @Modifying
    @Transactional
    @Query("update LaunchRequestRow r set r.instanceId = :instance where r.id = :id")
    void made(UUID id, UUID instance);

    /** Says how a launch ended; {@code outcome} is JSON. */
    @Modifying
    @Transactional
    @Query("update LaunchRequestRow r set r.state = :state, r.outcome = :outcome where r.id = :id")
    void ended(UUID id, String state, String outcome);
}
