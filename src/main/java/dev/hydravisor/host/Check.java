package dev.hydravisor.host;

import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What {@code hydra doctor} asks of one part of the machine. A bean of each module that needs something of the host. */
@FunctionalInterface
public interface Check {
    /** Looks once, within a few seconds, and never throws. */
    List<Finding> findings();

    /** As {@link #findings()}, for a user whose environment this is: where a check depends on it. */
    default List<Finding> findings(Function<String, @Nullable String> environment) {
        return findings();
    }

    /** How a finding bears on the user's work. */
    enum Level {
        OK,
        WARNING,
        ERROR
    }

    /**
     * One line of the report.
     *
     * @param subject what was looked at, such as {@code libvirt}
     * @param detail what was found, such as {@code 9.0.0 on qemu:///system}
     * @param remedy what to do about it; empty when nothing is to be done
     */
    record Finding(Level level, String subject, String detail, String remedy) {
        public static Finding ok(String subject, String detail) {
            return new Finding(Level.OK, subject, detail, "");
        }

        public static Finding warning(String subject, String detail, String remedy) {
            return new Finding(Level.WARNING, subject, detail, remedy);
        }

        public static Finding error(String subject, String detail, String remedy) {
            return new Finding(Level.ERROR, subject, detail, remedy);
        }
    }
}
