/** Container images in containerd's content store and snapshotter. */
@NullMarked
package dev.hydravisor.container.images;

import org.jspecify.annotations.NullMarked;
