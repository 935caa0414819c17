package dev.hydravisor.client;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;

/**
 * Gives memory back to the kernel while a process is idle: the clean pages of mapped files (the JVM's own code, its archive). They stay
 * in the page cache and come back when they are touched, so it costs little and is worth some 20 MB a process.
 */
public final class IdleMemory {
    private static final int MADV_DONTNEED = 4;
    private static final long QUIET_MILLIS = 3000;

    private IdleMemory() {}

    /**
     * Watches from now on, in the background.
     *
     * @param activity a number that changes with whatever the process does
     * @param before done each time, before the pages are given back
     */
    public static void watch(LongSupplier activity, Runnable before) {
        Thread.ofPlatform().daemon().name("idle memory").start(() -> {
            var given = Long.MIN_VALUE;
            var last = activity.getAsLong();
            try {
                while (true) {
                    Thread.sleep(QUIET_MILLIS);
                    var now = activity.getAsLong();
                    if (now == last && now != given) {
                        before.run();
                        giveBack();
                        given = now;
                    }
                    last = now;
                }
            } catch (InterruptedException e) {
                // Told to end.
            } catch (IOException | RuntimeException e) {
                // A kernel that does not tell of mappings: they stay.
            }
        });
    }

    private static void giveBack() throws IOException {
        var madvise = madvise();
        long start = 0;
        long length = 0;
        for (var line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            var header = line.indexOf('-') > 0 && line.indexOf('-') < line.indexOf(' ') && line.charAt(0) <= 'f';
            if (header) {
                var words = line.split(" +", 6);
                var range = words[0].split("-", -1);
                start = Long.parseUnsignedLong(range[0], 16);
                length = Long.parseUnsignedLong(range[1], 16) - start;
                var fileBacked = !words[4].equals("0");
                if (words[1].charAt(1) == 'w' || !fileBacked) {
                    length = 0;
                }
            } else if (length > 0 && line.startsWith("Anonymous:")) {
                // A private page that was written is nowhere else: only mappings without one may be dropped.
                if (line.endsWith(" 0 kB")) {
                    advise(madvise, start, length);
                }
                length = 0;
            }
        }
    }

    private static void advise(MethodHandle madvise, long start, long length) {
        try {
            // A refusal (a mapping that is locked, say) leaves the pages where they are.
            var unused = (int) madvise.invokeExact(MemorySegment.ofAddress(start), length, MADV_DONTNEED);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle madvise() {
        var linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow("madvise"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    }
}
