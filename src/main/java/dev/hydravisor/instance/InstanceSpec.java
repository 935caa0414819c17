package dev.hydravisor.instance;

/** What the user asked for. Kept as JSON; two specs are the same when all their fields are. */
public sealed interface InstanceSpec permits VmSpec {
    Kind kind();

    /** The image's name in the catalog of images, or the path of a disk image. */
    String image();

    int cpus();

    /** Memory in MiB. */
    long memoryMib();
}
