package dev.hydravisor.dashboard;

import static dev.hydravisor.dashboard.View.INSTANCES;
import static dev.hydravisor.dashboard.View.RECORDINGS;
import static dev.hydravisor.dashboard.View.WORKSPACES;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** All that a key can do. This table binds the keys; the help screen and docs/keys.md are read from it. */
enum Action {
    UP("move up", "up", "k"),
    DOWN("move down", "down", "j"),
    PAGE_UP("move a page up", "pageup", "ctrl-b"),
    PAGE_DOWN("move a page down", "pagedown", "ctrl-f"),
    FIRST("move to the first", "home", "g"),
    LAST("move to the last", "end", "G"),
    NEXT_PANE("to the other pane: list, details", "tab", "right", "l"),
    PREVIOUS_PANE("to the other pane, the other way", "shift-tab", "left", "h"),
    GO_INSTANCES("show the instances", "1"),
    GO_WORKSPACES("show the workspaces", "2"),
    GO_MODELS("show the models", "3"),
    GO_IMAGES("show the images", "4"),
    GO_RECORDINGS("show the recordings", "5"),
    GO_EVENTS("show what happened", "6"),
    GO_JOBS("show what is being done", "7"),
    COMMAND("go to a view by name", ":"),
    FILTER("filter by a regular expression, as you type", "/"),
    OPEN("open the workspace", Set.of(INSTANCES, WORKSPACES), "open", "enter"),
    CREATE("create a VM", Set.of(INSTANCES), "create", "n"),
    CREATE_CONTAINER("create a container", Set.of(INSTANCES), "", "N"),
    START_STOP("start or stop", Set.of(INSTANCES), "start/stop", "s"),
    PAUSE("pause or resume", Set.of(INSTANCES), "pause", "p"),
    SHELL("a shell in it", Set.of(INSTANCES, WORKSPACES), "shell", "t"),
    CONSOLE("its console; Ctrl-] leaves it", Set.of(INSTANCES, WORKSPACES), "console", "c"),
    ATTACH("attach a model", Set.of(INSTANCES, WORKSPACES), "attach", "a"),
    DETACH("detach a model", Set.of(INSTANCES, WORKSPACES), "detach", "d"),
    CLOSE("close the workspace; the instance goes on", Set.of(WORKSPACES), "close", "w"),
    RECORD("recording on or off", Set.of(INSTANCES, WORKSPACES), "record", "r"),
    REPLAY("replay the newest recording", Set.of(INSTANCES, WORKSPACES, RECORDINGS), "replay", "R"),
    CANCEL("cancel the job; what it made is undone", Set.of(View.JOBS), "cancel", "C"),
    DELETE("delete; asks for the name", Set.of(INSTANCES, View.IMAGES, RECORDINGS), "delete", "x"),
    COPY("copy the name", "y"),
    HELP("show all keys of this view", "?"),
    REDRAW("read and draw everything anew", "ctrl-l"),
    CLEAR("back: out of the details, the filter, the view", "esc"),
    BACK("back, and in the end out of the dashboard", "q"),
    QUIT("leave at once; what runs goes on", "ctrl-c");

    private final String help;
    private final Set<View> views;
    private final String hint;
    private final List<String> keys;

    Action(String help, String... keys) {
        this(help, EnumSet.allOf(View.class), "", keys);
    }

    Action(String help, Set<View> views, String hint, String... keys) {
        this.help = help;
        this.views = views;
        this.hint = hint;
        this.keys = List.of(keys);
    }

    String help() {
        return help;
    }

    /** Where it can be used. */
    Set<View> views() {
        return views;
    }

    /** Its word in the line of hints; empty for what everybody knows. */
    String hint() {
        return hint;
    }

    /** Its keys unless config.yaml says otherwise. */
    List<String> keys() {
        return keys;
    }

    /** Its name in config.yaml. */
    String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
