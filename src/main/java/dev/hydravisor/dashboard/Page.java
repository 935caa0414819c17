package dev.hydravisor.dashboard;

/** What can take the place of the lists for a while, keys and all: help, a menu, a form, a job under way. */
interface Page {
    String title();

    /** Draws itself into the rows from {@code top} on, so many. */
    void draw(Frame frame, int top, int height);

    /** What to press, for the line of hints. */
    String hints();

    /** Takes a key; false when the page is done with. */
    boolean key(String key);
}
