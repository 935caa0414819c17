package dev.hydravisor.dashboard;

import java.util.Map;

/** What the user can have done. Each call returns at once; what comes of it is shown later. */
interface Deeds {
    /** Opens an instance's workspace, and gives it the terminal. */
    void open(String instance);

    void shell(String instance);

    void console(String instance);

    /** Plays a recording, by its id or its instance's name. */
    void replay(String recording);

    void start(String instance);

    void stop(String instance);

    void pause(String instance);

    void resume(String instance);

    void record(String workspace, boolean on);

    void close(String workspace);

    void delete(View view, String name);

    void attach(String instance, String model);

    void detach(String instance, String model);

    /** Asks what a form would do, and shows it in it. */
    void plan(Form form);

    /** Does what a form says; returns the job. */
    Job create(Map<String, String> values);

    void copy(String text);

    /** Reads anew what a view shows. */
    void read(View view);

    /** Reads what is shown of one instance alone; of none for an empty name. */
    void details(String instance);

    /** Draws the whole screen anew, and looks at the machine again. */
    void redraw();
}
