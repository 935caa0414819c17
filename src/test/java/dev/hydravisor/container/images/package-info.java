@NullMarked
package dev.hydravisor.container.images;

import org.jspecify.annotations.NullMarked;
