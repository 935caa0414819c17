-- A name of the user's own for a workspace, beside its instance's.
alter table workspace add column called varchar(63);
