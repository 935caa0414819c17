/** libvirt through its Java binding: the connection that comes back, what the binding lacks, volumes, domain documents. */
@NullMarked
package dev.hydravisor.vm.libvirt;

import org.jspecify.annotations.NullMarked;
