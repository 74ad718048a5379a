drop table client_keys;
drop table tenants;
drop table workspaces;
drop table organizations;
drop table regions;
