@NullMarked
package dev.hydravisor.model.ollama;

import org.jspecify.annotations.NullMarked;
