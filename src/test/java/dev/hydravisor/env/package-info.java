/** The real systems that tests run against, brought up privately and taken down again. */
@NullMarked
package dev.hydravisor.env;

import org.jspecify.annotations.NullMarked;
