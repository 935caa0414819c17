-- The workspaces that were opened and not closed. tmux says what runs; this says what to offer again when it is gone.
create table workspace (
    instance_id uuid                        primary key references instance (id) on delete cascade,
    -- whether it is to be recorded
    recorded    boolean                     not null,
    -- the recording of its session
    recording   varchar(64),
    opened      timestamp(3) with time zone not null
);
