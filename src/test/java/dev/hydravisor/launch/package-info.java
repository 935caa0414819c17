@NullMarked
package dev.hydravisor.launch;

import org.jspecify.annotations.NullMarked;
