-- The audit trail: a second copy of logs/audit.jsonl, each record chained to the one before by its hash. Rows are only ever added.
create table audit (
    number      bigint        primary key,
    -- as it is hashed: ISO 8601, UTC
    time        varchar(40)   not null,
    request     varchar(8192) not null,
    actor       varchar(8192) not null,
    action      varchar(8192) not null,
    target      varchar(8192) not null,
    detail      varchar(8192) not null,
    outcome     varchar(8192) not null,
    reason      varchar(8192) not null,
    rule        varchar(8192) not null,
    -- the number of the record this is the outcome of; 0 for none
    of          bigint        not null,
    previous    varchar(64)   not null,
    hash        varchar(64)   not null
);
