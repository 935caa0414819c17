/** The machine hydra runs on: its own folders, child processes, and the checks of `hydra doctor`. */
@NullMarked
package dev.hydravisor.host;

import org.jspecify.annotations.NullMarked;
