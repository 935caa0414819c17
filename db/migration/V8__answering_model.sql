-- A turn names the model itself; the preset by which it was asked, and what exactly it was, stand beside it.
alter table dialog_turn add column preset varchar(256);
alter table dialog_turn add column model_identity varchar(512);
