@NullMarked
package dev.hydravisor.container;

import org.jspecify.annotations.NullMarked;
