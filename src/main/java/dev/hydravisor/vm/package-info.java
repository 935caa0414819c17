/** The VM backend: libvirt domains, disks, seeds and addresses. The only package that knows org.libvirt. */
@NullMarked
package dev.hydravisor.vm;

import org.jspecify.annotations.NullMarked;
