@NullMarked
package dev.hydravisor.vm.libvirt;

import org.jspecify.annotations.NullMarked;
