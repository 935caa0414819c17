/** Capture, archive, replay and export of what happens in a workspace. */
@NullMarked
package dev.hydravisor.recording;

import org.jspecify.annotations.NullMarked;
