package dev.hydravisor.vm;

import dev.hydravisor.image.DiskStore;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.InputStream;
import org.springframework.stereotype.Component;

/** Images as volumes in libvirt's storage pool. */
@Component
class VmDisks implements DiskStore {
    private final Hypervisor hypervisor;

    VmDisks(Hypervisor hypervisor) {
        this.hypervisor = hypervisor;
    }

    @Override
    public void put(Operation operation, String name, InputStream content, long size) {
        hypervisor.volumes().upload(operation, name, content, size);
    }

    @Override
    public void remove(String name) {
        // Another user of this libvirt may have imported the same image, and have clones of it.
        if (hypervisor.volumes().isBase(name)) {
            throw HydraException.conflict("volume `" + name + "` has linked clones; delete the VMs made from it first");
        }
        hypervisor.volumes().remove(name);
    }

    @Override
    public boolean exists(String name) {
        return hypervisor.volumes().exists(name);
    }
}
