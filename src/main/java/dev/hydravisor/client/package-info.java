/** What a user starts: it relays a terminal to the daemon. Plain Java: no framework, no library. */
@NullMarked
package dev.hydravisor.client;

import org.jspecify.annotations.NullMarked;
