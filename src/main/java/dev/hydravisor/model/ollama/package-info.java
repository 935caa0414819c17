/** Ollama, through Spring AI's client for it. */
@NullMarked
package dev.hydravisor.model.ollama;

import org.jspecify.annotations.NullMarked;
