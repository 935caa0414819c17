package dev.hydravisor.container;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** Makes named pipes; a program for that would cost more than the rest of an exec. */
final class Fifo {
    private static final int OWNER_ONLY = 0600;
    private static final MethodHandle MKFIFO = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("mkfifo"),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));

    private Fifo() {}

    /** Makes one that only its owner may open. */
    static void make(Path path) throws IOException {
        int result;
        try (var arena = Arena.ofConfined()) {
            result = (int) MKFIFO.invokeExact(arena.allocateFrom(path.toString()), OWNER_ONLY);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        if (result != 0) {
            throw new IOException("cannot make the pipe `" + path + "`");
        }
    }
}
