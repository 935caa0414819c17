/** Launch requests: what tokens ask for from elsewhere, each run once, its events numbered and kept. */
@NullMarked
package dev.hydravisor.request;

import org.jspecify.annotations.NullMarked;
