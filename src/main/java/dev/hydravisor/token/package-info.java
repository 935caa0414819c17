/** Tokens: who may ask from other machines, and for what. */
@NullMarked
package dev.hydravisor.token;

import org.jspecify.annotations.NullMarked;
