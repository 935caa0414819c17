/** The launch endpoint: a WebSocket by which other machines and programs have instances launched and watched, and a client of it. */
@NullMarked
package dev.hydravisor.launch;

import org.jspecify.annotations.NullMarked;
