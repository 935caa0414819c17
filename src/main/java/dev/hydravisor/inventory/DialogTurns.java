package dev.hydravisor.inventory;

import java.util.List;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.transaction.annotation.Transactional;

/** What was said in dialogs, oldest first. */
public interface DialogTurns extends JpaRepository<DialogTurnRow, Long> {
    List<DialogTurnRow> findByDialogOrderById(String dialog);

    @Transactional
    void deleteByDialog(String dialog);
}
