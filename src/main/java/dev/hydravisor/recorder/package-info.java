/** The recorder: a small process of its own that takes what terminals print, keeps secrets out, and writes it to the disk. */
@NullMarked
package dev.hydravisor.recorder;

import org.jspecify.annotations.NullMarked;
