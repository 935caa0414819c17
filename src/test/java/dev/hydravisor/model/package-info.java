@NullMarked
package dev.hydravisor.model;

import org.jspecify.annotations.NullMarked;
