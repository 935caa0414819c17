-- Who may ask from elsewhere. Of the secret only a salted hash is kept. A revoked token stays, for what was done with it.
create table token (
    id      varchar(16)                 primary key,
    name    varchar(63)                 not null,
    salt    binary(16)                  not null,
    hash    binary(32)                  not null,
    -- what it may do, as JSON
    scope   clob                        not null,
    created timestamp(3) with time zone not null,
    expires timestamp(3) with time zone,
    revoked timestamp(3) with time zone
);

-- A launch that a token asked for: run once for each of the token's keys.
create table launch_request (
    id              uuid                        primary key,
    token_id        varchar(16)                 not null references token (id),
    idempotency_key varchar(64)                 not null,
    name            varchar(63)                 not null,
    -- what was asked for, as JSON
    request         clob                        not null,
    -- running, ready or failed
    state           varchar(16)                 not null,
    -- the event it ended with; null while it runs
    outcome         clob,
    -- the instance it made; no foreign key: what was asked for outlives it
    instance_id     uuid,
    created         timestamp(3) with time zone not null,
    unique (token_id, idempotency_key)
);

create index launch_request_instance on launch_request (instance_id);

-- What a token is told, numbered for it from 1. Only the last thousand or so are kept.
create table launch_event (
    id         bigint generated always as identity primary key,
    token_id   varchar(16)                 not null,
    number     bigint                      not null,
    -- null for what happened outside of launches
    request_id uuid,
    -- JSON, as it goes over the wire
    body       clob                        not null,
    unique (token_id, number)
);
