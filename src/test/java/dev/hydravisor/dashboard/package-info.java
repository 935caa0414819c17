@NullMarked
package dev.hydravisor.dashboard;

import org.jspecify.annotations.NullMarked;
