/** containerd's gRPC services as the container backend needs them. */
@NullMarked
package dev.hydravisor.container.containerd;

import org.jspecify.annotations.NullMarked;
