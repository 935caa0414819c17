/** Our own tmux server. */
@NullMarked
package dev.hydravisor.workspace.tmux;

import org.jspecify.annotations.NullMarked;
