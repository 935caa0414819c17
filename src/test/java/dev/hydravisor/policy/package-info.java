@NullMarked
package dev.hydravisor.policy;

import org.jspecify.annotations.NullMarked;
