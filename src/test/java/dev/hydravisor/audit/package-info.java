@NullMarked
package dev.hydravisor.audit;

import org.jspecify.annotations.NullMarked;
