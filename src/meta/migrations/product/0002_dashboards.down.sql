drop table annotations;
drop table funnels;
drop table goals;
drop table reports;
drop table dashboard_templates;
drop table widgets;
drop table dashboards;
