/** The audit trail: who did what on whose behalf, in a chain that shows when it was changed. */
@NullMarked
package dev.hydravisor.audit;

import org.jspecify.annotations.NullMarked;
