drop table audit_outbox;
drop table audit_chain;
