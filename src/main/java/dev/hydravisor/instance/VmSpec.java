package dev.hydravisor.instance;

import org.jspecify.annotations.Nullable;

/**
 * A VM as asked for.
 *
 * @param memoryMib in MiB
 * @param diskGib size of the disk in GiB; 0 means the image's own size
 * @param user the account the seed makes, who may log in with the VM's own key
 * @param userData a cloud-config document merged into the seed's user-data; null when none was given
 * @param network the libvirt network the VM's one interface is on
 */
public record VmSpec(
        String image,
        int cpus,
        long memoryMib,
        long diskGib,
        String user,
        @Nullable String userData,
        String network) implements InstanceSpec {
    @Override
    public Kind kind() {
        return Kind.VM;
    }

    @Override
    public String processors() {
        return Integer.toString(cpus);
    }
}
