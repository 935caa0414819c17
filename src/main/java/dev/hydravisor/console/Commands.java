package dev.hydravisor.console;

import java.util.List;

/** A group of commands, such as all of {@code vm …}: a bean; the console registers what it lists. */
@FunctionalInterface
public interface Commands {
    List<HydraCommand> commands();
}
