/** Tests of recordings. */
@NullMarked
package dev.hydravisor.recording;

import org.jspecify.annotations.NullMarked;
