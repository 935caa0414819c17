/** What may be done without asking, what is asked for, and what is refused. */
@NullMarked
package dev.hydravisor.policy;

import org.jspecify.annotations.NullMarked;
