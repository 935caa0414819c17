/** The dashboard: full-screen views of all there is, drawn on the viewer's terminal, over the same services as the console. */
@NullMarked
package dev.hydravisor.dashboard;

import org.jspecify.annotations.NullMarked;
