/** The images instances start from: import, verify, list, delete. */
@NullMarked
package dev.hydravisor.image;

import org.jspecify.annotations.NullMarked;
