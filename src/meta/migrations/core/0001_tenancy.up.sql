-- Region > organization > workspace > tenant, and the keys by which clients show which tenant they are.
-- Runs on SQLite and PostgreSQL. Ids are UUID text, times Unix milliseconds; both are made by the program.

create table regions (
    region_id text not null primary key,
    name text not null,
    code text not null unique,
    description text not null default '',
    is_active boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null,
    constraint regions_region_id check (length(region_id) = 36),
    constraint regions_name check (length(name) between 1 and 128),
    constraint regions_code check (length(code) between 1 and 64)
);

create table organizations (
    organization_id text not null primary key,
    region_id text not null references regions (region_id),
    name text not null,
    code text not null unique,
    description text not null default '',
    settings jsonb not null default '{}',
    is_active boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint organizations_organization_id check (length(organization_id) = 36),
    constraint organizations_name check (length(name) between 1 and 128),
    constraint organizations_code check (length(code) between 1 and 64)
);
create index organizations_by_region on organizations (region_id);

create table workspaces (
    workspace_id text not null primary key,
    organization_id text not null references organizations (organization_id),
    name text not null,
    code text not null unique,
    description text not null default '',
    datasource_config jsonb not null default '{}',
    is_active boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint workspaces_workspace_id check (length(workspace_id) = 36),
    constraint workspaces_name check (length(name) between 1 and 128),
    constraint workspaces_code check (length(code) between 1 and 64)
);
create index workspaces_by_organization on workspaces (organization_id);

create table tenants (
    tenant_id text not null primary key,
    workspace_id text not null references workspaces (workspace_id),
    name text not null,
    code text not null unique,
    domain text not null default '',
    settings jsonb not null default '{}',
    is_active boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint tenants_tenant_id check (length(tenant_id) = 36),
    constraint tenants_name check (length(name) between 1 and 128),
    constraint tenants_code check (length(code) between 1 and 64)
);
create index tenants_by_workspace on tenants (workspace_id) where deleted_at is null;

-- Only the SHA-256 of a key is kept; the prefix is what people recognise it by in lists.
-- permissions: words separated by one space, of write, read.
create table client_keys (
    client_key_id text not null primary key,
    tenant_id text not null references tenants (tenant_id),
    kind text not null,
    digest text not null unique,
    prefix text not null,
    permissions text not null,
    name text not null default '',
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    revoked_reason text not null default '',
    constraint client_keys_client_key_id check (length(client_key_id) = 36),
    constraint client_keys_kind check (kind in ('write', 'secret')),
    constraint client_keys_digest check (length(digest) = 64),
    constraint client_keys_permissions check (permissions in ('write', 'read', 'write read')),
    constraint client_keys_name check (length(name) <= 128),
    constraint client_keys_revoked_reason check (revoked_at is not null or revoked_reason = '')
);
create index client_keys_by_tenant on client_keys (tenant_id);
