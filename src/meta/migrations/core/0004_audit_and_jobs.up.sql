-- Audit events wait here, written in the transaction of the change they tell of, until a server has them in the event
-- store. Each carries the hash of the one before it.
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

-- Work done from time to time, by one server of those that share this database.
create table jobs (
    name text not null primary key,
    next_run_at bigint not null,
    locked_by text not null default '',
    locked_until bigint not null default 0,
    last_run_at bigint,
    last_duration_ms bigint,
    last_result text not null default ''
);
