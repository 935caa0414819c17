/** What every module says about work and failure: staged operations with undo, errors with a remedy, exit codes. */
@NullMarked
package dev.hydravisor.operation;

import org.jspecify.annotations.NullMarked;
