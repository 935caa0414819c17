@NullMarked
package dev.hydravisor.vm.guest;

import org.jspecify.annotations.NullMarked;
