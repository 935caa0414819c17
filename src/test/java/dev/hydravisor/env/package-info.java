/** What tests run beside hydra: real tmux servers, and the environments of the backends. */
@NullMarked
package dev.hydravisor.env;

import org.jspecify.annotations.NullMarked;
