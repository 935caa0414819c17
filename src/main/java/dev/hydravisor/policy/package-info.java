/** Who may do what: the rules, and the guard that all services act through. */
@NullMarked
package dev.hydravisor.policy;

import org.jspecify.annotations.NullMarked;
