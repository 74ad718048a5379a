-- Addresses that payment services report to. webhook_hash is the address's last part; who has it still needs the service's
-- signature. It is null only inside the transaction that makes the row.
create table revenue_configs (
    revenue_config_id text not null primary key,
    tenant_id text not null references tenants (tenant_id),
    name text not null,
    webhook_hash text unique,
    has_stripe_secret boolean not null default false,
    has_paddle_secret boolean not null default false,
    stripe_secret_encrypted text not null default '',
    paddle_secret_encrypted text not null default '',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    constraint revenue_configs_name check (length(name) between 1 and 128)
);
create index revenue_configs_by_tenant on revenue_configs (tenant_id);
