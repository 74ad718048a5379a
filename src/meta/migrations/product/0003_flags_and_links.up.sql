-- Feature flags, groups of people they are for, and short links.

create table flags (
    flag_id text not null primary key,
    tenant_id text not null,
    flag_key text not null,
    name text not null default '',
    description text not null default '',
    type text not null default 'boolean',
    status text not null default 'active',
    default_value jsonb not null default 'false',
    payload jsonb,
    rules jsonb not null default '[]',
    persist_across_auth boolean not null default false,
    rollout_percentage bigint not null default 0,
    rollout_by text not null default 'user',
    variants jsonb not null default '[]',
    dependencies text not null default '',
    target_group_ids text not null default '',
    environment text not null default '',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint flags_flag_id check (length(flag_id) = 36),
    constraint flags_tenant_id check (length(tenant_id) = 36),
    constraint flags_flag_key check (length(flag_key) between 1 and 100),
    constraint flags_type check (type in ('boolean', 'rollout', 'multivariant')),
    constraint flags_status check (status in ('active', 'inactive', 'archived')),
    constraint flags_rollout_percentage check (rollout_percentage between 0 and 100),
    constraint flags_rollout_by check (rollout_by in ('user', 'organization', 'team'))
);
create unique index flags_by_key on flags (tenant_id, flag_key, environment) where deleted_at is null;

create table target_groups (
    target_group_id text not null primary key,
    tenant_id text not null,
    name text not null,
    description text not null default '',
    rules jsonb not null default '[]',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint target_groups_target_group_id check (length(target_group_id) = 36),
    constraint target_groups_tenant_id check (length(tenant_id) = 36),
    constraint target_groups_name check (length(name) between 1 and 128)
);
create index target_groups_by_tenant on target_groups (tenant_id, created_at) where deleted_at is null;

create table links (
    link_id text not null primary key,
    tenant_id text not null,
    slug text not null,
    name text not null,
    target_url text not null,
    og_title text not null default '',
    og_description text not null default '',
    og_image_url text not null default '',
    expires_at bigint,
    expired_redirect_url text not null default '',
    ios_url text not null default '',
    android_url text not null default '',
    external_id text not null default '',
    deep_link_app text not null default '',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint links_link_id check (length(link_id) = 36),
    constraint links_tenant_id check (length(tenant_id) = 36),
    constraint links_slug check (length(slug) between 3 and 50),
    constraint links_name check (length(name) between 1 and 255)
);
-- Of all tenants: the slug is the whole address.
create unique index links_by_slug on links (slug) where deleted_at is null;
create index links_by_tenant on links (tenant_id, created_at) where deleted_at is null;
