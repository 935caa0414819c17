/** The commands: REPL, one-shot and script, over the services of the other modules. */
@NullMarked
package dev.hydravisor.console;

import org.jspecify.annotations.NullMarked;
