/** Tests of the whole. */
@NullMarked
package dev.hydravisor;

import org.jspecify.annotations.NullMarked;
