/** One instance, its tmux session, its model and its recording: the main job. */
@NullMarked
package dev.hydravisor.workspace;

import org.jspecify.annotations.NullMarked;
