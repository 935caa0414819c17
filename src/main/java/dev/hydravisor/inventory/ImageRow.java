package dev.hydravisor.inventory;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;

/** An image that was imported. */
@Entity
@Table(name = "image")
public class ImageRow {
    @Id
    private String name;

    private String format;
    private String sha256;
    private long size;
    private long virtualSize;
    private String source;
    private Instant imported;

    @SuppressWarnings("NullAway.Init") // filled in by Hibernate
    protected ImageRow() {}

    /** {@code size} and {@code virtualSize} are bytes. */
    public ImageRow(
            String name, String format, String sha256, long size, long virtualSize, String source, Instant imported) {
        this.name = name;
        this.format = format;
        this.sha256 = sha256;
        this.size = size;
        this.virtualSize = virtualSize;
        this.source = source;
        this.imported = imported;
    }

    public String name() {
        return name;
    }

    public String format() {
        return format;
    }

    public String sha256() {
        return sha256;
    }

    public long size() {
        return size;
    }

    public long virtualSize() {
        return virtualSize;
    }

    public String source() {
        return source;
    }

    public Instant imported() {
        return imported;
    }
}
