drop table flag_revisions;
drop table flag_revision;
alter table flags drop column schedule;
alter table flags drop column hash;
