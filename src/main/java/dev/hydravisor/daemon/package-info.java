/** hydrad: its socket, its connections, its life. */
@NullMarked
package dev.hydravisor.daemon;

import org.jspecify.annotations.NullMarked;
