-- What the user chose once by a command, such as the default model.
create table setting (
    name   varchar(64)   primary key,
    chosen varchar(1024) not null
);
