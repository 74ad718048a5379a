-- Audit events of this service's changes, written in their transactions (see core/0004).
create table audit_chain (
    id bigint not null primary key,
    sequence bigint not null,
    hash text not null,
    constraint audit_chain_id check (id = 1)
);
insert into audit_chain (id, sequence, hash) values (1, 0, '');

create table audit_outbox (
    sequence bigint not null primary key,
    event_id text not null unique,
    event text not null,
    claimed_by text not null default '',
    claimed_until bigint not null default 0,
    created_at bigint not null
);
