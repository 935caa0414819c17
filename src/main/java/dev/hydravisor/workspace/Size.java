package dev.hydravisor.workspace;

/** A terminal's size in columns and rows. */
public record Size(int columns, int rows) {
    /** For a session nobody looks at yet; a client that attaches brings its own. */
    public static final Size DEFAULT = new Size(120, 40);

    public Size {
        columns = Math.clamp(columns, 20, 1000);
        rows = Math.clamp(rows, 6, 1000);
    }
}
