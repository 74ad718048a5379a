/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings of a tenant mean: read from their JSON, the same way where they are changed and where they act. */
#ifndef TENANT_SETTINGS_H
#define TENANT_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/network.h"
#include "decode/json.h"

/* What becomes of requests whose visitor asks not to be tracked (Sec-GPC: 1, DNT: 1). docs/privacy.md */
enum tenant_do_not_track { TENANT_TRACK_ALL, TENANT_TRACK_COOKIELESS, TENANT_TRACK_DROP };

/*
 * Filters: whose events are not wanted. docs/events.md
 *   {"type":"ip","ip":"203.0.113.0/24"}            from these addresses
 *   {"type":"profile_id","profileId":"ada"}        of this profile
 *   {"type":"event","name":"ping","filters":[..]}  of this name ("*": any) that fulfil all conditions
 * A condition is {"name":column or property,"operator":one of TENANT_FILTER_WORDS,"value":[texts, numbers or booleans]}.
 */
enum tenant_filter_operator {
    TENANT_FILTER_IS, TENANT_FILTER_IS_NOT, TENANT_FILTER_CONTAINS, TENANT_FILTER_CONTAINS_NOT, TENANT_FILTER_STARTS_WITH,
    TENANT_FILTER_ENDS_WITH, TENANT_FILTER_GT, TENANT_FILTER_GTE, TENANT_FILTER_LT, TENANT_FILTER_LTE, TENANT_FILTER_IS_NULL,
    TENANT_FILTER_IS_NOT_NULL, TENANT_FILTER_OPERATOR_COUNT
};
#define TENANT_FILTER_WORDS "is, isNot, contains, doesNotContain, startsWith, endsWith, gt, gte, lt, lte, isNull, isNotNull"
struct tenant_filter_condition {
    struct slice name;
    enum tenant_filter_operator operator;
    const struct slice *values; /* numbers and booleans as text; at least one, but for isNull and isNotNull */
    size_t value_count;
};
enum tenant_filter_kind { TENANT_FILTER_ADDRESS, TENANT_FILTER_PROFILE, TENANT_FILTER_EVENT };
struct tenant_filter {
    enum tenant_filter_kind kind;
    struct network_prefix address;
    struct slice text; /* the profile's id, or the event's name */
    const struct tenant_filter_condition *conditions;
    size_t condition_count;
};
/* Every event of the tenant is compared with all of them, on an event loop. */
#define TENANT_FILTER_LIMIT 50
#define TENANT_FILTER_CONDITION_LIMIT 10
#define TENANT_FILTER_VALUE_LIMIT 50
#define TENANT_FILTER_TEXT_LIMIT_BYTES 256

/* Kinds of telemetry, kept for different times: settings retention_days_traces, _logs, _metrics. */
enum tenant_signal { TENANT_SIGNAL_TRACES, TENANT_SIGNAL_LOGS, TENANT_SIGNAL_METRICS, TENANT_SIGNAL_COUNT };
extern const uint16_t tenant_signal_retention_days[TENANT_SIGNAL_COUNT]; /* unless the tenant wants otherwise */

struct tenant_settings {
    uint16_t retention_days[TENANT_SIGNAL_COUNT];
    enum tenant_do_not_track do_not_track;
    bool allow_public_revenue;
    const struct tenant_filter *filters;
    size_t filter_count;
};
/*
 * `settings` is any JSON value; names that mean nothing here are the business of pages. ERROR_INVALID names the first
 * setting that is wrong ("settings.do_not_track") and what it may be; the others are read all the same, a wrong one has
 * its default. Texts are copied into the arena (ERROR_MEMORY).
 */
enum error_code tenant_settings_read(struct json_value settings, struct arena *arena, struct tenant_settings *ret_settings,
                                     struct error *error) MUST_CHECK;

#endif
