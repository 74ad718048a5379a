-- What is shown to people without an account: a dashboard, a report, or the overview of a tenant (neither id).

create table shares (
    share_id text not null primary key,
    tenant_id text not null,
    name text not null,
    dashboard_id text,
    report_id text,
    has_password boolean not null default false,
    password_hash text not null default '',
    expires_at bigint,
    failed_attempts bigint not null default 0,
    locked_until bigint not null default 0,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    constraint shares_share_id check (length(share_id) = 36),
    constraint shares_tenant_id check (length(tenant_id) = 36),
    constraint shares_name check (length(name) between 1 and 128)
);
create index shares_by_tenant on shares (tenant_id, created_at);
