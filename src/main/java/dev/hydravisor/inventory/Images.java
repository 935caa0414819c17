package dev.hydravisor.inventory;

import java.util.List;
import org.springframework.data.jpa.repository.JpaRepository;

/** The images that were imported, by name. */
public interface Images extends JpaRepository<ImageRow, String> {
    List<ImageRow> findAllByOrderByName();
}
