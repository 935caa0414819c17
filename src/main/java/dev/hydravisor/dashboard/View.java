package dev.hydravisor.dashboard;

import java.util.Locale;

/** What a list shows; in the order of the keys 1 to 7. */
enum View {
    INSTANCES,
    WORKSPACES,
    MODELS,
    IMAGES,
    RECORDINGS,
    EVENTS,
    JOBS;

    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
