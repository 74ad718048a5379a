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
drop table api_key_usage;
drop table api_key_permissions;
drop table api_keys;
drop table user_roles;
drop table role_permissions;
drop table roles;
drop table permissions;
drop table installation;
drop table access_revision;
