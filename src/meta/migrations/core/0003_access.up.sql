-- Who may do what: roles, permissions, assignments, and the keys of programs.

-- One row: raised by every change that event loops must see (tenant/refresher.h polls it).
create table access_revision (
    id bigint not null primary key,
    revision bigint not null,
    constraint access_revision_id check (id = 1)
);
insert into access_revision (id, revision) values (1, 1);

-- Values that all servers of an installation share; only where no file of the operator holds them.
create table installation (
    name text not null primary key,
    value text not null,
    created_at bigint not null
);

-- The program writes its permissions and built-in roles here at every start (tenant/permission.def is the source).
create table permissions (
    permission_id text not null primary key,
    resource text not null,
    action text not null,
    name text not null unique,
    description text not null default '',
    created_at bigint not null,
    constraint permissions_pair unique (resource, action)
);

-- Built-in roles have no organization.
create table roles (
    role_id text not null primary key,
    organization_id text references organizations (organization_id),
    tenant_id text references tenants (tenant_id),
    name text not null,
    description text not null default '',
    role_type text not null default 'custom',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint roles_name check (length(name) between 1 and 128),
    constraint roles_role_type
        check (role_type in ('super_admin', 'admin', 'developer', 'viewer', 'demo', 'service', 'custom')),
    constraint roles_owner check ((role_type = 'custom') = (organization_id is not null))
);
create unique index roles_by_name on roles (organization_id, name) where deleted_at is null;
create unique index roles_by_type on roles (role_type) where organization_id is null;

create table role_permissions (
    role_permission_id text not null primary key,
    role_id text not null references roles (role_id),
    permission_id text not null references permissions (permission_id),
    is_denied boolean not null default false,
    granted_at bigint not null,
    constraint role_permissions_pair unique (role_id, permission_id)
);

-- Without tenant: in all tenants of the user's organization; super_admin then reaches everything.
create table user_roles (
    user_role_id text not null primary key,
    user_id text not null references users (user_id),
    role_id text not null references roles (role_id),
    tenant_id text references tenants (tenant_id),
    assigned_by text not null default '',
    assigned_at bigint not null,
    expires_at bigint
);
create unique index user_roles_in_tenant on user_roles (user_id, role_id, tenant_id) where tenant_id is not null;
create unique index user_roles_everywhere on user_roles (user_id, role_id) where tenant_id is null;
create index user_roles_by_role on user_roles (role_id);
create index user_roles_by_tenant on user_roles (tenant_id);

-- kind write: key_id is the whole key, a UUID that may be published. kind secret: "mrs_<key_id>_<secret>", of which
-- secret_hash is the Argon2id PHC string. previous_*: what a rotation left valid until grace_period_expires_at.
create table api_keys (
    api_key_id text not null primary key,
    tenant_id text not null references tenants (tenant_id),
    kind text not null,
    key_id text not null unique,
    secret_hash text not null default '',
    version bigint not null default 1,
    previous_key_id text unique,
    previous_secret_hash text not null default '',
    grace_period_expires_at bigint,
    prefix text not null,
    name text not null default '',
    description text not null default '',
    status text not null default 'active',
    allowed_origins text not null default '',
    allowed_addresses text not null default '',
    rate_limit bigint not null default 0,
    expires_at bigint,
    last_used_at bigint,
    last_used_ip text not null default '',
    usage_count bigint not null default 0,
    revoked_at bigint,
    revoked_by text not null default '',
    revoked_reason text not null default '',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    constraint api_keys_api_key_id check (length(api_key_id) = 36),
    constraint api_keys_kind check (kind in ('write', 'secret')),
    constraint api_keys_status check (status in ('active', 'revoked')),
    constraint api_keys_revoked check ((status = 'revoked') = (revoked_at is not null)),
    constraint api_keys_secret check ((kind = 'secret') = (secret_hash <> '')),
    constraint api_keys_name check (length(name) <= 128),
    constraint api_keys_rate_limit check (rate_limit >= 0)
);
create index api_keys_by_tenant on api_keys (tenant_id);

create table api_key_permissions (
    api_key_permission_id text not null primary key,
    api_key_id text not null references api_keys (api_key_id),
    permission text not null,
    granted_at bigint not null,
    constraint api_key_permissions_pair unique (api_key_id, permission)
);

-- Requests per key, hour and outcome: what a log of every request would be asked for, at the cost of a counter.
create table api_key_usage (
    api_key_id text not null references api_keys (api_key_id),
    hour bigint not null,
    requests bigint not null default 0,
    refused bigint not null default 0,
    items bigint not null default 0,
    constraint api_key_usage_hour primary key (api_key_id, hour)
);

-- Keys of the first form cannot be carried over: only their digests are known. None was ever released.
drop table client_keys;
