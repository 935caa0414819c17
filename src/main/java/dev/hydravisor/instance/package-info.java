/** Instances, VMs and containers alike: their life cycle over the backends, reconciled with what really runs. */
@NullMarked
package dev.hydravisor.instance;

import org.jspecify.annotations.NullMarked;
