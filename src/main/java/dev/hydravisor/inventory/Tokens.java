package dev.hydravisor.inventory;

import java.time.Instant;
import java.util.List;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;
import org.springframework.transaction.annotation.Transactional;

/** The tokens of the launch endpoint, revoked ones too. */
public interface Tokens extends JpaRepository<TokenRow, String> {
    List<TokenRow> findAllByOrderByCreated();

    @Modifying
    @Transactional
    @Query("update TokenRow t set t.revoked = :at where t.id = :id and t.revoked is null")
    void revoke(String id, Instant at);
}
