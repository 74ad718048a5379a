-- Groups of people by what they did or are; who is a member is found when it is asked.

create table cohorts (
    cohort_id text not null primary key,
    tenant_id text not null,
    name text not null,
    description text not null default '',
    definition jsonb not null,
    is_static boolean not null default false,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint cohorts_cohort_id check (length(cohort_id) = 36),
    constraint cohorts_tenant_id check (length(tenant_id) = 36),
    constraint cohorts_name check (length(name) between 1 and 128)
);
create index cohorts_by_tenant on cohorts (tenant_id, created_at) where deleted_at is null;
