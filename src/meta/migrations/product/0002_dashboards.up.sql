-- What people build to look at their numbers. tenant_id and created_by are ids of the service core.

create table dashboards (
    dashboard_id text not null primary key,
    tenant_id text not null,
    name text not null,
    description text not null default '',
    layout_config jsonb not null default '{}',
    variables jsonb not null default '{}',
    is_public boolean not null default false,
    view_count bigint not null default 0,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint dashboards_dashboard_id check (length(dashboard_id) = 36),
    constraint dashboards_tenant_id check (length(tenant_id) = 36),
    constraint dashboards_name check (length(name) between 1 and 128),
    constraint dashboards_view_count check (view_count >= 0)
);
create index dashboards_by_tenant on dashboards (tenant_id, created_at) where deleted_at is null;

create table widgets (
    widget_id text not null primary key,
    tenant_id text not null,
    dashboard_id text not null references dashboards (dashboard_id),
    title text not null,
    widget_type text not null,
    query_config jsonb not null default '{}',
    visualization_config jsonb not null default '{}',
    position_config jsonb not null default '{}',
    refresh_interval bigint not null default 60,
    created_at bigint not null,
    updated_at bigint not null,
    constraint widgets_widget_id check (length(widget_id) = 36),
    constraint widgets_title check (length(title) between 1 and 128),
    constraint widgets_widget_type check (widget_type in
        ('line_chart', 'bar_chart', 'gauge', 'stat', 'table', 'logs', 'heatmap', 'graph')),
    constraint widgets_refresh_interval check (refresh_interval between 0 and 86400)
);
create index widgets_by_dashboard on widgets (dashboard_id);
create index widgets_by_tenant on widgets (tenant_id, created_at);

create table dashboard_templates (
    dashboard_template_id text not null primary key,
    name text not null unique,
    description text not null default '',
    category text not null default 'custom',
    template_config jsonb not null default '{}',
    is_default boolean not null default false,
    created_at bigint not null,
    updated_at bigint not null,
    constraint dashboard_templates_name check (length(name) between 1 and 128),
    constraint dashboard_templates_category check (category in ('apm', 'infrastructure', 'network', 'custom'))
);

create table reports (
    report_id text not null primary key,
    tenant_id text not null,
    dashboard_id text references dashboards (dashboard_id),
    name text not null,
    chart_type text not null,
    line_type text not null default 'monotone',
    "interval" text not null default 'day',
    "range" text not null default '30d',
    start_date bigint,
    end_date bigint,
    series jsonb not null default '[]',
    breakdowns jsonb not null default '[]',
    filters jsonb not null default '[]',
    options jsonb not null default '{}',
    formula text not null default '',
    unit text not null default '',
    metric text not null default 'sum',
    previous boolean not null default false,
    layout jsonb not null default '{}',
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint reports_report_id check (length(report_id) = 36),
    constraint reports_tenant_id check (length(tenant_id) = 36),
    constraint reports_name check (length(name) between 1 and 128),
    constraint reports_chart_type check (chart_type in ('linear', 'bar', 'histogram', 'pie', 'metric', 'area', 'map',
        'funnel', 'retention', 'conversion', 'sankey')),
    constraint reports_interval check ("interval" in ('minute', 'hour', 'day', 'week', 'month'))
);
create index reports_by_tenant on reports (tenant_id, created_at) where deleted_at is null;

create table goals (
    goal_id text not null primary key,
    tenant_id text not null,
    name text not null,
    description text not null default '',
    type text not null,
    target text not null,
    filters jsonb not null default '[]',
    ignore_historic_data boolean not null default false,
    is_active boolean not null default true,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint goals_goal_id check (length(goal_id) = 36),
    constraint goals_tenant_id check (length(tenant_id) = 36),
    constraint goals_name check (length(name) between 1 and 128),
    constraint goals_type check (type in ('PAGE_VIEW', 'EVENT', 'CUSTOM'))
);
create index goals_by_tenant on goals (tenant_id, created_at) where deleted_at is null;

create table funnels (
    funnel_id text not null primary key,
    tenant_id text not null,
    name text not null,
    description text not null default '',
    steps jsonb not null,
    filters jsonb not null default '[]',
    window_seconds bigint not null default 86400,
    group_by text not null default 'session_id',
    is_active boolean not null default true,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint funnels_funnel_id check (length(funnel_id) = 36),
    constraint funnels_tenant_id check (length(tenant_id) = 36),
    constraint funnels_name check (length(name) between 1 and 128),
    constraint funnels_window_seconds check (window_seconds between 1 and 31536000),
    constraint funnels_group_by check (group_by in ('session_id', 'profile_id'))
);
create index funnels_by_tenant on funnels (tenant_id, created_at) where deleted_at is null;

create table annotations (
    annotation_id text not null primary key,
    tenant_id text not null,
    chart_type text not null default 'metrics',
    chart_context jsonb not null default '{}',
    annotation_type text not null default 'point',
    x_value bigint not null,
    x_end_value bigint,
    y_value bigint,
    text text not null,
    tags text not null default '',
    color text not null default '#3B82F6',
    is_public boolean not null default false,
    created_by text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint annotations_annotation_id check (length(annotation_id) = 36),
    constraint annotations_tenant_id check (length(tenant_id) = 36),
    constraint annotations_annotation_type check (annotation_type in ('point', 'line', 'range')),
    constraint annotations_range check (x_end_value is null or x_end_value >= x_value),
    constraint annotations_color check (length(color) = 7)
);
create index annotations_by_tenant on annotations (tenant_id, x_value) where deleted_at is null;
