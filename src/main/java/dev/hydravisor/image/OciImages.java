package dev.hydravisor.image;

import dev.hydravisor.operation.Operation;

/** Container images by the names users give them. */
public interface OciImages {
    /**
     * Finds an image, or brings it in.
     *
     * @param ref such as {@code alpine}, {@code debian:12}, {@code ghcr.io/owner/name@sha256:…}
     * @throws dev.hydravisor.operation.HydraException NOT_FOUND when there is none
     */
    OciImage resolve(Operation operation, String ref);
}
