-- How a flag's buckets are told, its schedule, and which tenants' flags servers must read again.

alter table flags add column hash text not null default 'stable' constraint flags_hash check (hash in ('stable', 'legacy'));
alter table flags add column schedule jsonb not null default '[]';

-- One number for all tenants, raised by each change of a flag or a target group.
create table flag_revision (
    id bigint not null primary key,
    revision bigint not null,
    constraint flag_revision_id check (id = 1)
);
insert into flag_revision (id, revision) values (1, 0);

-- What it was at a tenant's last change.
create table flag_revisions (
    tenant_id text not null primary key,
    revision bigint not null,
    constraint flag_revisions_tenant_id check (length(tenant_id) = 36)
);
create index flag_revisions_by_revision on flag_revisions (revision);
