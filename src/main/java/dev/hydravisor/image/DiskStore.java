package dev.hydravisor.image;

import dev.hydravisor.operation.Operation;
import java.io.InputStream;

/** Where VM disk images are kept so that their hypervisor can read them. Implemented by the VM backend. */
public interface DiskStore {
    /**
     * Copies a checked qcow2 image in. Half a copy is never left behind; an image of that name that no disk is based on is
     * replaced.
     *
     * @param name as {@link Image#volume} says it
     * @param size bytes of the content
     */
    void put(Operation operation, String name, InputStream content, long size);

    /**
     * Removes it; one that is not there is no error.
     *
     * @throws dev.hydravisor.operation.HydraException CONFLICT while disks are based on it
     */
    void remove(String name);

    boolean exists(String name);
}
