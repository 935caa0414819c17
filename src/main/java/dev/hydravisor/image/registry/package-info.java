/** The client of OCI and Docker registries, over HTTP. */
@NullMarked
package dev.hydravisor.image.registry;

import org.jspecify.annotations.NullMarked;
