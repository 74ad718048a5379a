/* SPDX-License-Identifier: Apache-2.0 */
/* Goals, funnels and annotations: what charts are measured against. */
#include "control/product.h"

#define PRODUCT_STEPS_BYTES (16 * 1024) /* ten steps with filters take a tenth */

static const char *const goal_types[] = {"PAGE_VIEW", "EVENT", "CUSTOM", NULL};
static const char *const funnel_groups[] = {"session_id", "profile_id", NULL};
static const char *const annotation_types[] = {"point", "line", "range", NULL};

static const struct control_field goal_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the goal."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "What reaching it means."},
    {"type", CONTROL_WORD, CONTROL_REQUIRED, .words = goal_types, .help = "What completes it."},
    {"target", CONTROL_TEXT, CONTROL_REQUIRED, 1, 2048, .help = "Path or name of the event."},
    {"filters", CONTROL_JSON, 0, 0, PRODUCT_STEPS_BYTES, .help = "Filters on the events."},
    {"ignore_historic_data", CONTROL_BOOLEAN, .help = "Whether events before its creation count not."},
    {"is_active", CONTROL_BOOLEAN, .help = "Whether it is shown."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_goals = {
    .name = "goal", .plural = "goals", .service = "product", .table = "goals", .id_column = "goal_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_REPORTS_READ, .create = TENANT_REPORTS_WRITE, .write = TENANT_REPORTS_WRITE,
    .delete_ = TENANT_REPORTS_DELETE, .soft_delete = true,
    .limit = 1000, .limit_reason = "each is a question of the overview",
    .fields = goal_fields, .help = "Events that count as success.",
};

static const struct control_field funnel_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the funnel."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "What it measures."},
    {"steps", CONTROL_JSON, CONTROL_REQUIRED, 0, PRODUCT_STEPS_BYTES,
     .help = "Steps in order: [{type PAGE_VIEW, EVENT or CUSTOM, target, name, conditions}]."},
    {"filters", CONTROL_JSON, 0, 0, PRODUCT_STEPS_BYTES, .help = "Filters on the first step."},
    {"window_seconds", CONTROL_INTEGER, 0, 1, 31536000, .help = "Time in which all steps must happen."},
    {"group_by", CONTROL_WORD, .words = funnel_groups, .help = "Whose steps are put together."},
    {"is_active", CONTROL_BOOLEAN, .help = "Whether it is shown."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_funnels = {
    .name = "funnel", .plural = "funnels", .service = "product", .table = "funnels", .id_column = "funnel_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_REPORTS_READ, .create = TENANT_REPORTS_WRITE, .write = TENANT_REPORTS_WRITE,
    .delete_ = TENANT_REPORTS_DELETE, .soft_delete = true,
    .limit = 1000, .limit_reason = "each is a question of the overview",
    .fields = funnel_fields, .help = "Steps that people take one after the other.",
};

static const struct control_field annotation_fields[] = {
    {"chart_type", CONTROL_TEXT, 0, 1, 64, .help = "Kind of chart it is drawn on."},
    {"chart_context", CONTROL_JSON, 0, 0, PRODUCT_STEPS_BYTES, .help = "Which chart: range, filters, metrics."},
    {"annotation_type", CONTROL_WORD, .words = annotation_types, .help = "Point, line or range."},
    {"x_value", CONTROL_TIME, CONTROL_REQUIRED, .help = "When it happened, or began."},
    {"x_end_value", CONTROL_TIME, CONTROL_NULLABLE, .help = "When a range ended."},
    {"y_value", CONTROL_INTEGER, CONTROL_NULLABLE, INT64_MIN, INT64_MAX, .help = "Height of a point."},
    {"text", CONTROL_LONG_TEXT, CONTROL_REQUIRED, 1, 500, .help = "What happened."},
    {"tags", CONTROL_WORDS, 0, 0, 20, .help = "Words to find it by."},
    {"color", CONTROL_TEXT, 0, 7, 7, .help = "#RRGGBB."},
    {"is_public", CONTROL_BOOLEAN, .help = "Whether it shows on public pages."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_annotations = {
    .name = "annotation", .plural = "annotations", .service = "product", .table = "annotations",
    .id_column = "annotation_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_REPORTS_READ, .create = TENANT_REPORTS_WRITE, .write = TENANT_REPORTS_WRITE,
    .delete_ = TENANT_REPORTS_DELETE, .soft_delete = true,
    .limit = 10000, .limit_reason = "a few a day for years",
    .fields = annotation_fields, .help = "Notes on charts: a release, a campaign, an outage.",
};
