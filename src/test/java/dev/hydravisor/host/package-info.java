@NullMarked
package dev.hydravisor.host;

import org.jspecify.annotations.NullMarked;
