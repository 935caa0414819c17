package dev.hydravisor.operation;

/** How a command ends, as the shell that started it sees it. */
public enum ExitCode {
    DONE(0),
    FAILED(1),
    USAGE(2),
    NOT_FOUND(3),
    CONFLICT(4),
    UNAVAILABLE(5),
    DENIED(6),
    INTERRUPTED(130);

    private final int status;

    ExitCode(int status) {
        this.status = status;
    }

    /** The process exit status, 0 to 255. */
    public int status() {
        return status;
    }
}
