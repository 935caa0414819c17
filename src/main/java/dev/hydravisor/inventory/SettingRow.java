package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;

/** Something the user chose once by a command. */
@Entity
@Table(name = "setting")
public class SettingRow {
    @Id
    private String name;

    private String chosen;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected SettingRow() {}

    public SettingRow(String name, String chosen) {
        this.name = name;
        this.chosen = chosen;
    }

    public String chosen() {
        return chosen;
    }
}
