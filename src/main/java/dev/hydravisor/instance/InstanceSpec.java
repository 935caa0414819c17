package dev.hydravisor.instance;

/** What the user asked for. Kept as JSON; two specs are the same when all their fields are. */
public sealed interface InstanceSpec permits VmSpec, ContainerSpec {
    Kind kind();

    /** The image's name in the catalog of images, the path of a disk image, or a container image's reference. */
    String image();

    /** The processors it may use, for a person to read; empty when it may use all. */
    String processors();

    /** Memory in MiB; 0 when it may use all. */
    long memoryMib();
}
