@NullMarked
package dev.hydravisor.image;

import org.jspecify.annotations.NullMarked;
