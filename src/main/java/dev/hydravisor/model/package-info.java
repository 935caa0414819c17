/** Models by provider, and dialogs with them. The only package that knows Spring AI's providers. */
@NullMarked
package dev.hydravisor.model;

import org.jspecify.annotations.NullMarked;
