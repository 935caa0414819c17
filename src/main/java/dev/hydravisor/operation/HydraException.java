package dev.hydravisor.operation;

import org.jspecify.annotations.Nullable;

/**
 * A failure the user is told in one line: lower case, the thing in backquotes, the remedy last. Whatever else is thrown
 * is a defect of ours and is logged with its stack trace.
 */
public class HydraException extends RuntimeException {
    private final ExitCode exitCode;

    public HydraException(ExitCode exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    public HydraException(ExitCode exitCode, String message) {
        this(exitCode, message, null);
    }

    public ExitCode exitCode() {
        return exitCode;
    }

    /** The message, never null. */
    public String text() {
        var message = getMessage();
        return message == null ? exitCode.name().toLowerCase(java.util.Locale.ROOT) : message;
    }

    /** The message as far as its first semicolon: what is wrong. */
    public String problem() {
        return text().split("; ", 2)[0];
    }

    /** The message behind its first semicolon: what to do about it; empty where it does not say. */
    public String remedy() {
        var parts = text().split("; ", 2);
        return parts.length == 2 ? parts[1] : "";
    }

    public static HydraException failed(String message) {
        return new HydraException(ExitCode.FAILED, message);
    }

    public static HydraException failed(String message, Throwable cause) {
        return new HydraException(ExitCode.FAILED, message, cause);
    }

    public static HydraException usage(String message) {
        return new HydraException(ExitCode.USAGE, message);
    }

    public static HydraException notFound(String message) {
        return new HydraException(ExitCode.NOT_FOUND, message);
    }

    public static HydraException conflict(String message) {
        return new HydraException(ExitCode.CONFLICT, message);
    }

    public static HydraException unavailable(String message) {
        return new HydraException(ExitCode.UNAVAILABLE, message);
    }

    public static HydraException unavailable(String message, Throwable cause) {
        return new HydraException(ExitCode.UNAVAILABLE, message, cause);
    }

    public static HydraException denied(String message) {
        return new HydraException(ExitCode.DENIED, message);
    }

    public static HydraException interrupted() {
        return new HydraException(ExitCode.INTERRUPTED, "interrupted");
    }
}
