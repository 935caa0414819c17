@NullMarked
package dev.hydravisor.operation;

import org.jspecify.annotations.NullMarked;
