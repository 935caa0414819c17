/** Workspaces: an instance, its tmux session, the models attached to it, and the recording of it all. */
@NullMarked
package dev.hydravisor.workspace;

import org.jspecify.annotations.NullMarked;
