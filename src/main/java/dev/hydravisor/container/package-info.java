/** Containers over containerd: the backend, its network, its settings. The only package that names gRPC. */
@NullMarked
package dev.hydravisor.container;

import org.jspecify.annotations.NullMarked;
