@NullMarked
package dev.hydravisor.vm;

import org.jspecify.annotations.NullMarked;
