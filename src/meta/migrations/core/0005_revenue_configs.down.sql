drop table revenue_configs;
