drop table links;
drop table target_groups;
drop table flags;
