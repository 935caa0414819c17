package dev.hydravisor.vm.libvirt;

import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.libvirt.LibvirtException;
import org.libvirt.StoragePool;
import org.libvirt.StorageVol;
import org.libvirt.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The disks and seeds of VMs and the images they start from: volumes in a libvirt storage pool of our own. */
public final class Volumes {
    private static final Logger log = LoggerFactory.getLogger(Volumes.class);
    // The most one message of libvirt's protocol carries.
    private static final int CHUNK = 262_120;
    // Below this no file system can be trusted to take even an empty disk and its metadata.
    private static final long RESERVE = 4L << 20;

    private final Libvirt libvirt;
    private final String pool;
    private final Supplier<String> folder;

    /** {@code folder} is where the pool is made when it does not exist. */
    public Volumes(Libvirt libvirt, String pool, Supplier<String> folder) {
        this.libvirt = libvirt;
        this.pool = pool;
        this.folder = folder;
    }

    /**
     * Uploads a file through libvirt, telling the operation its progress in bytes. A volume of that name is replaced, unless
     * other volumes are based on it: then it is whole, and stays.
     *
     * @param size bytes of the content
     * @throws HydraException FAILED when the pool is full; nothing is left then, nor after a cancel
     */
    public void upload(Operation operation, String name, InputStream content, long size) {
        var progress = new AtomicLong();
        var cancelled = new AtomicBoolean();
        var work = libvirt.<Void>submit(c -> {
            var pool = pool(c);
            var old = volume(pool, name);
            if (old != null) {
                if (isBase(pool, old.getPath())) {
                    return null;
                }
                old.delete(0);
            }
            requireRoom(pool, size);
            var volume = pool.storageVolCreateXML(volumeXml(name, "raw", size, null), 0);
            try {
                send(c, volume, content, size, progress, cancelled);
                // Until it looks again libvirt takes the file for a raw one.
                pool.refresh(0);
                return null;
            } catch (LibvirtException | RuntimeException e) {
                discard(volume);
                throw e;
            }
        });
        var interrupted = false;
        try {
            while (true) {
                try {
                    work.get(100, TimeUnit.MILLISECONDS);
                    operation.progress(size, size, "bytes");
                    return;
                } catch (TimeoutException e) {
                    operation.progress(progress.get(), size, "bytes");
                } catch (InterruptedException e) {
                    // The upload takes away what it has written, and only then is this over.
                    interrupted = true;
                    cancelled.set(true);
                }
            }
        } catch (ExecutionException e) {
            throw full(Libvirt.unwrap(e));
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Makes a qcow2 disk that begins as a copy of another volume and shares its blocks with it. Gives its path. */
    public String clone(String name, String base, long capacity) {
        return inPool(pool -> {
            var source = volume(pool, base);
            if (source == null) {
                pool.refresh(0);
                source = volume(pool, base);
            }
            if (source == null) {
                throw HydraException.notFound("volume `" + base + "` is no longer in the storage pool `" + this.pool
                        + "`; delete the image and import it again");
            }
            var old = volume(pool, name);
            if (old != null) {
                old.delete(0);
            }
            requireRoom(pool, 0);
            return pool.storageVolCreateXML(volumeXml(name, "qcow2", capacity, source.getPath()), 0)
                    .getPath();
        });
    }

    /** The path of a volume that exists. */
    public String path(String name) {
        return inPool(pool -> pool.storageVolLookupByName(name).getPath());
    }

    public boolean exists(String name) {
        return inPool(pool -> volume(pool, name) != null);
    }

    /** True while another volume is based on it. */
    public boolean isBase(String name) {
        return inPool(pool -> {
            var volume = volume(pool, name);
            return volume != null && isBase(pool, volume.getPath());
        });
    }

    /** Removes it; one that is not there is no error. */
    public void remove(String name) {
        libvirt.run(c -> {
            var volume = volume(pool(c), name);
            if (volume != null) {
                volume.delete(0);
            }
        });
    }

    private interface PoolCall<T> {
        T run(StoragePool pool) throws LibvirtException;
    }

    private <T> T inPool(PoolCall<T> work) {
        try {
            return libvirt.call(c -> work.run(pool(c)));
        } catch (HydraException e) {
            throw full(e);
        }
    }

    /** Our pool, made and started when need be. */
    private StoragePool pool(Libvirt.Connection connection) throws LibvirtException {
        var known = Libvirt.find(() -> connection.storagePoolLookupByName(pool));
        if (known == null) {
            var root = Xml.root("pool", "type", "dir");
            Xml.text(Xml.add(root, "name"), pool);
            Xml.text(Xml.add(Xml.add(root, "target"), "path"), folder.get());
            try {
                known = connection.storagePoolDefineXML(Xml.write(root), 0);
                known.build(0);
                known.setAutostart(1);
            } catch (LibvirtException e) {
                // Another process may have been quicker.
                known = Libvirt.find(() -> connection.storagePoolLookupByName(pool));
                if (known == null) {
                    throw e;
                }
            }
        }
        if (known.isActive() == 0) {
            try {
                known.create(0);
            } catch (LibvirtException e) {
                if (known.isActive() == 0) {
                    throw e;
                }
            }
        }
        return known;
    }

    private static @Nullable StorageVol volume(StoragePool pool, String name) throws LibvirtException {
        return Libvirt.find(() -> pool.storageVolLookupByName(name));
    }

    private boolean isBase(StoragePool pool, String path) throws LibvirtException {
        for (var name : pool.listVolumes()) {
            var volume = volume(pool, name);
            if (volume != null
                    && Xml.at(Xml.parse(volume.getXMLDesc(0)), "backingStore/path")
                            .anyMatch(e -> e.getTextContent().equals(path))) {
                return true;
            }
        }
        return false;
    }

    private void requireRoom(StoragePool pool, long size) throws LibvirtException {
        if (pool.getInfo().available < size + RESERVE) {
            // What libvirt knows of the file system's room is as old as its last look.
            pool.refresh(0);
            if (pool.getInfo().available < size + RESERVE) {
                throw full();
            }
        }
    }

    private HydraException full() {
        return HydraException.failed(
                "the storage pool `" + pool + "` is full; make room where it lies (see `virsh pool-dumpxml " + pool
                        + "`), or set `vm.pool` and `vm.pool-path` to another file system");
    }

    /** The error, or a plainer one where its cause is a full pool. */
    private RuntimeException full(RuntimeException e) {
        var message = String.valueOf(e.getMessage());
        return message.contains("No space left on device") || message.contains("Disk quota exceeded") ? full() : e;
    }

    private static String volumeXml(String name, String format, long capacity, @Nullable String base) {
        var root = Xml.root("volume");
        Xml.text(Xml.add(root, "name"), name);
        Xml.text(Xml.add(root, "capacity", "unit", "bytes"), Long.toString(capacity));
        Xml.text(Xml.add(root, "allocation", "unit", "bytes"), "0");
        var target = Xml.add(root, "target");
        Xml.add(target, "format", "type", format);
        if (format.equals("qcow2")) {
            // libvirt writes 0.10 otherwise.
            Xml.text(Xml.add(target, "compat"), "1.1");
        }
        if (base != null) {
            var backing = Xml.add(root, "backingStore");
            Xml.text(Xml.add(backing, "path"), base);
            Xml.add(backing, "format", "type", "qcow2");
        }
        return Xml.write(root);
    }

    /** Takes away half an upload, which libvirt itself may hold for a moment longer. */
    private static void discard(StorageVol volume) {
        for (int tries = 0; tries < 20; tries++) {
            try {
                volume.delete(0);
                return;
            } catch (LibvirtException e) {
                log.debug("half an upload is still there: {}", Libvirt.message(e));
                java.util.concurrent.locks.LockSupport.parkNanos(100_000_000);
            }
        }
        log.warn("half an upload could not be removed; the next import of the same image replaces it");
    }

    private static void abort(Stream stream) {
        try {
            stream.abort();
        } catch (LibvirtException e) {
            log.debug("abort: {}", Libvirt.message(e));
        }
    }

    private static void send(
            Libvirt.Connection connection,
            StorageVol volume,
            InputStream content,
            long size,
            AtomicLong progress,
            AtomicBoolean cancelled)
            throws LibvirtException {
        var stream = connection.streamNew(0);
        try {
            volume.upload(stream, 0, size, 0);
            var buffer = new byte[CHUNK];
            long sent = 0;
            while (sent < size) {
                if (cancelled.get()) {
                    throw HydraException.interrupted();
                }
                var read = content.readNBytes(buffer, 0, (int) Math.min(CHUNK, size - sent));
                if (read == 0) {
                    throw HydraException.failed("the image's file became shorter while it was read; import it again");
                }
                var at = 0;
                while (at < read) {
                    at += stream.send(at == 0 && read == CHUNK ? buffer : Arrays.copyOfRange(buffer, at, read));
                }
                sent += read;
                progress.set(sent);
            }
            stream.finish();
        } catch (IOException e) {
            abort(stream);
            throw HydraException.failed("the image's file cannot be read: " + e.getMessage(), e);
        } catch (LibvirtException | RuntimeException e) {
            abort(stream);
            throw e;
        }
    }
}
