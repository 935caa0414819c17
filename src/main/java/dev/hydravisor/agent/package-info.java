/** Models with tools in a workspace: what they ask for, who allows it, and what came of it. */
@NullMarked
package dev.hydravisor.agent;

import org.jspecify.annotations.NullMarked;
