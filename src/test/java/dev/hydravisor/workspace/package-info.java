@NullMarked
package dev.hydravisor.workspace;

import org.jspecify.annotations.NullMarked;
