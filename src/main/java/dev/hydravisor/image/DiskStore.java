package dev.hydravisor.image;

import dev.hydravisor.operation.Operation;
import java.nio.file.Path;

/** Where VM disk images are kept so that their hypervisor can read them. Implemented by the VM backend. */
public interface DiskStore {
    /**
     * Copies a checked disk image in, under a name that is not taken; half a copy is never left behind.
     *
     * @param format {@code qcow2} or {@code raw}
     * @param virtualSize bytes the guest sees
     */
    void put(Operation operation, String name, Path file, String format, long virtualSize);

    /** Removes it; one that is not there is no error. */
    void remove(String name);
}
