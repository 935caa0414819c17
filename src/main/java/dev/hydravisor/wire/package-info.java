/** The framed protocol between client and daemon. Plain Java: no framework, no library. */
@NullMarked
package dev.hydravisor.wire;

import org.jspecify.annotations.NullMarked;
