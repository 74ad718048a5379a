-- Subscriptions and what was paid. Money is an integer in the currency's smallest unit. organization_id is core's.

create table subscriptions (
    subscription_id text not null primary key,
    organization_id text not null,
    plan_name text not null default 'free',
    billing_cycle text not null default 'monthly',
    amount_minor bigint not null default 0,
    currency text not null default 'USD',
    status text not null default 'active',
    current_period_start bigint,
    current_period_end bigint,
    trial_end bigint,
    cancelled_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    constraint subscriptions_subscription_id check (length(subscription_id) = 36),
    constraint subscriptions_organization_id check (length(organization_id) = 36),
    constraint subscriptions_plan_name check (plan_name in ('free', 'starter', 'professional', 'enterprise')),
    constraint subscriptions_billing_cycle check (billing_cycle in ('monthly', 'yearly')),
    constraint subscriptions_amount_minor check (amount_minor >= 0),
    constraint subscriptions_currency check (length(currency) = 3),
    constraint subscriptions_status check (status in ('active', 'cancelled', 'past_due', 'trialing'))
);
-- One that runs at a time.
create unique index subscriptions_by_organization on subscriptions (organization_id) where status <> 'cancelled';

create table billing_history (
    billing_id text not null primary key,
    organization_id text not null,
    subscription_id text not null references subscriptions (subscription_id),
    amount_minor bigint not null,
    currency text not null,
    payment_method text not null default '',
    status text not null default 'pending',
    invoice_url text not null default '',
    paid_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    constraint billing_history_billing_id check (length(billing_id) = 36),
    constraint billing_history_currency check (length(currency) = 3),
    constraint billing_history_status check (status in ('paid', 'pending', 'failed', 'refunded'))
);
create index billing_history_by_subscription on billing_history (subscription_id, created_at);
