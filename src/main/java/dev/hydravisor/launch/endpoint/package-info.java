/** The server behind the launch endpoint: its handshake, its connections, their messages and limits. */
@NullMarked
package dev.hydravisor.launch.endpoint;

import org.jspecify.annotations.NullMarked;
