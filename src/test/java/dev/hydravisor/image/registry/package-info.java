@NullMarked
package dev.hydravisor.image.registry;

import org.jspecify.annotations.NullMarked;
