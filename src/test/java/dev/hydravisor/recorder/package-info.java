@NullMarked
package dev.hydravisor.recorder;

import org.jspecify.annotations.NullMarked;
