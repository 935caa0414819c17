package dev.hydravisor.dashboard;

/** What a piece of text is on the screen; a theme says how that looks. */
enum Role {
    TEXT,
    /** What is there to be read second. */
    DIM,
    TITLE,
    /** Titles of columns, names of facts. */
    LABEL,
    SELECTED,
    /** The selection of a list that has not the keys. */
    MARKED,
    ACCENT,
    GOOD,
    BUSY,
    BAD
}
