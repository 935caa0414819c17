@NullMarked
package dev.hydravisor.console;

import org.jspecify.annotations.NullMarked;
