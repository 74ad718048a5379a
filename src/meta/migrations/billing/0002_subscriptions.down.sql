drop table billing_history;
drop table subscriptions;
