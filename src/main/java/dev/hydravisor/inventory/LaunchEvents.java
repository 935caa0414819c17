package dev.hydravisor.inventory;

import java.util.List;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Query;
import org.springframework.transaction.annotation.Transactional;

/** What tokens are told, each in its order. */
public interface LaunchEvents extends JpaRepository<LaunchEventRow, Long> {
    List<LaunchEventRow> findByTokenIdAndNumberGreaterThanOrderByNumber(String tokenId, long number);

    /** The number of the last one; 0 when there is none. */
    @Query("select coalesce(max(e.number), 0) from LaunchEventRow e where e.tokenId = :tokenId")
    long last(String tokenId);

    @Transactional
    void deleteByTokenIdAndNumberLessThan(String tokenId, long number);
}
