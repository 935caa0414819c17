package dev.hydravisor.inventory;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One turn of a dialog: what a user or a model said. */
@Entity
@Table(name = "dialog_turn")
public class DialogTurnRow {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    private @Nullable Long id;

    private String dialog;
    private String role;
    private @Nullable String model;
    private @Nullable String preset;

    @Column(name = "model_identity")
    private @Nullable String identity;

    private String content;
    private String finish;
    private Instant created;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected DialogTurnRow() {}

    /**
     * {@code role} is {@code user}, {@code assistant}, {@code tool} or {@code system}; {@code model} is {@code provider:id}, asked by
     * the name of {@code preset} if that is not null, and known to its provider by {@code identity}; {@code finish} says how the turn
     * ended.
     */
    public DialogTurnRow(
            String dialog,
            String role,
            @Nullable String model,
            @Nullable String preset,
            @Nullable String identity,
            String content,
            String finish,
            Instant created) {
        this.dialog = dialog;
        this.role = role;
        this.model = model;
        this.preset = preset;
        this.identity = identity;
        this.content = content;
        this.finish = finish;
        this.created = created;
    }

    public @Nullable Long id() {
        return id;
    }

    public String dialog() {
        return dialog;
    }

    public String role() {
        return role;
    }

    public @Nullable String model() {
        return model;
    }

    public @Nullable String preset() {
        return preset;
    }

    public @Nullable String identity() {
        return identity;
    }

    public String content() {
        return content;
    }

    public String finish() {
        return finish;
    }

    public Instant created() {
        return created;
    }
}
