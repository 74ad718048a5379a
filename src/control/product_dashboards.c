/* SPDX-License-Identifier: Apache-2.0 */
/* Dashboards, their widgets, templates of them, and saved reports. */
#include "control/product.h"

/* Documents of pages, not data: what a person arranges by hand is far below. */
#define PRODUCT_JSON_BYTES (64 * 1024)

static const char *const widget_types[] = {"line_chart", "bar_chart", "gauge", "stat", "table", "logs", "heatmap",
                                           "graph", NULL};
static const char *const template_categories[] = {"apm", "infrastructure", "network", "custom", NULL};
static const char *const chart_types[] = {"linear", "bar", "histogram", "pie", "metric", "area", "map", "funnel",
                                          "retention", "conversion", "sankey", NULL};
static const char *const intervals[] = {"minute", "hour", "day", "week", "month", NULL};
static const char *const metrics[] = {"sum", "average", "min", "max", "count", NULL};

static const struct control_field dashboard_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the dashboard."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "What it shows."},
    {"layout_config", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "How the widgets are arranged."},
    {"variables", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Values a viewer can choose, used by the widgets."},
    {"is_public", CONTROL_BOOLEAN, .help = "Whether it may be shown without logging in."},
    {"view_count", CONTROL_INTEGER, CONTROL_READ_ONLY, 0, INT64_MAX, .help = "How often it was opened."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_dashboards = {
    .name = "dashboard", .plural = "dashboards", .service = "product", .table = "dashboards", .id_column = "dashboard_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_DASHBOARDS_READ, .create = TENANT_DASHBOARDS_WRITE, .write = TENANT_DASHBOARDS_WRITE,
    .delete_ = TENANT_DASHBOARDS_DELETE, .soft_delete = true,
    .limit = 1000, .limit_reason = "more can no longer be found by people",
    .fields = dashboard_fields, .help = "Pages of widgets.",
};

static const struct control_field widget_fields[] = {
    {"dashboard_id", CONTROL_ID, CONTROL_REQUIRED | CONTROL_IMMUTABLE, .refers = &control_dashboards,
     .help = "Dashboard it stands on."},
    {"title", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Title over the widget."},
    {"widget_type", CONTROL_WORD, CONTROL_REQUIRED, .words = widget_types, .help = "How it draws."},
    {"query_config", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "The question it asks."},
    {"visualization_config", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Colours, units, thresholds."},
    {"position_config", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Place and size."},
    {"refresh_interval", CONTROL_INTEGER, 0, 0, 86400, .help = "Seconds between two questions; 0: only when opened."},
    {0},
};
const struct control_resource control_widgets = {
    .name = "widget", .plural = "widgets", .service = "product", .table = "widgets", .id_column = "widget_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_DASHBOARDS_READ, .create = TENANT_DASHBOARDS_WRITE, .write = TENANT_DASHBOARDS_WRITE,
    .delete_ = TENANT_DASHBOARDS_WRITE,
    .limit = 20000, .limit_reason = "twenty on each dashboard",
    .fields = widget_fields, .help = "Charts, figures and lists on dashboards.",
};

static const struct control_field template_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the template."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "What it is for."},
    {"category", CONTROL_WORD, .words = template_categories, .help = "Kind of system it is for."},
    {"template_config", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "The dashboard it makes."},
    {"is_default", CONTROL_BOOLEAN, .help = "Whether new tenants get a dashboard of it."},
    {0},
};
const struct control_resource control_dashboard_templates = {
    .name = "dashboard_template", .plural = "dashboard_templates", .service = "product", .table = "dashboard_templates",
    .id_column = "dashboard_template_id", .scope = CONTROL_INSTALLATION,
    .read = TENANT_PLATFORM_READ, .create = TENANT_PLATFORM_MANAGE, .write = TENANT_PLATFORM_MANAGE,
    .delete_ = TENANT_PLATFORM_MANAGE,
    .limit = 1000, .limit_reason = "a list to choose from",
    .fields = template_fields, .help = "Dashboards to start from, the same for all.",
};

static const struct control_field report_fields[] = {
    {"dashboard_id", CONTROL_ID, CONTROL_NULLABLE, .refers = &control_dashboards, .help = "Dashboard that shows it."},
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the report."},
    {"chart_type", CONTROL_WORD, CONTROL_REQUIRED, .words = chart_types, .help = "How it draws."},
    {"line_type", CONTROL_TEXT, 0, 1, 32, .help = "How lines join points."},
    {"interval", CONTROL_WORD, .words = intervals, .help = "Width of a bucket."},
    {"range", CONTROL_TEXT, 0, 1, 32, .help = "Named span of time, such as 30d or lastMonth; custom: start and end date."},
    {"start_date", CONTROL_TIME, CONTROL_NULLABLE, .help = "Begin, of the range custom."},
    {"end_date", CONTROL_TIME, CONTROL_NULLABLE, .help = "End, of the range custom."},
    {"series", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Events and formulas that are drawn."},
    {"breakdowns", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "What each series is split by."},
    {"filters", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Filters of all series."},
    {"options", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Options of the chart type."},
    {"formula", CONTROL_TEXT, 0, 0, 512, .help = "Formula over the series, such as A/B."},
    {"unit", CONTROL_TEXT, 0, 0, 32, .help = "Unit of the values."},
    {"metric", CONTROL_WORD, .words = metrics, .help = "How a series is summed up in one figure."},
    {"previous", CONTROL_BOOLEAN, .help = "Whether the previous period is shown too."},
    {"layout", CONTROL_JSON, 0, 0, PRODUCT_JSON_BYTES, .help = "Place and size on the dashboard."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_reports = {
    .name = "report", .plural = "reports", .service = "product", .table = "reports", .id_column = "report_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_REPORTS_READ, .create = TENANT_REPORTS_WRITE, .write = TENANT_REPORTS_WRITE,
    .delete_ = TENANT_REPORTS_DELETE, .soft_delete = true,
    .limit = 10000, .limit_reason = "ten on each dashboard",
    .fields = report_fields, .help = "Saved questions.",
};
