-- What the backends cannot hold: intent, ownership, attachments, history.

create table instance (
    id          uuid                        primary key,
    name        varchar(63)                 not null unique,
    kind        varchar(16)                 not null,
    -- what was asked for, as JSON
    spec        clob                        not null,
    -- true from the end of a create that succeeded; false marks one that died half-way
    complete    boolean                     not null,
    created     timestamp(3) with time zone not null
);

create table image (
    name         varchar(128)                primary key,
    format       varchar(16)                 not null,
    sha256       char(64)                    not null,
    size         bigint                      not null,
    virtual_size bigint                      not null,
    source       varchar(4096)               not null,
    imported     timestamp(3) with time zone not null
);

-- A model attached to an instance. The endpoint is the environment it was attached with, as JSON.
create table attachment (
    id          uuid                        primary key,
    instance_id uuid                        not null references instance (id) on delete cascade,
    model       varchar(256)                not null,
    endpoint    clob                        not null,
    attached    timestamp(3) with time zone not null,
    unique (instance_id, model)
);

-- One turn of a dialog. It outlives the instance: history is never lost by a delete, so no foreign key.
-- finish says how it ended: complete, length, interrupted, cut, failed.
create table dialog_turn (
    id          bigint generated always as identity primary key,
    dialog      varchar(128)                not null,
    role        varchar(16)                 not null,
    model       varchar(256),
    content     clob                        not null,
    finish      varchar(16)                 not null,
    created     timestamp(3) with time zone not null
);

create index dialog_turn_dialog on dialog_turn (dialog, id);
