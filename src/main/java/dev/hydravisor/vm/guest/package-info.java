/** What a guest is given to start with: its seed, its keys, the way into it. */
@NullMarked
package dev.hydravisor.vm.guest;

import org.jspecify.annotations.NullMarked;
