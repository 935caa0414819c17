package dev.hydravisor.env;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;

/** Prints why tests of a class are skipped, once a class and reason: Maven only counts them. */
public final class SkippedAloud implements TestWatcher {
    private static final Set<String> SAID = ConcurrentHashMap.newKeySet();

    @Override
    public void testAborted(ExtensionContext context, @Nullable Throwable cause) {
        var line = "skipped: " + context.getRequiredTestClass().getSimpleName() + ": "
                + (cause == null ? "" : String.valueOf(cause.getMessage()).replaceFirst("^Assumption failed: ", ""));
        if (SAID.add(line)) {
            System.out.println(line);
        }
    }
}
