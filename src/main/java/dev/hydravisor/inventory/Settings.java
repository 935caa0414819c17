package dev.hydravisor.inventory;

import org.springframework.data.jpa.repository.JpaRepository;

/** What the user chose by commands, by name. */
public interface Settings extends JpaRepository<SettingRow, String> {}
