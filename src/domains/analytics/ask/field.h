/* SPDX-License-Identifier: Apache-2.0 */
/* The fields people ask by: names of all dialects to expressions over rows of events, sessions or profiles. */
#ifndef DOMAINS_ANALYTICS_ASK_FIELD_H
#define DOMAINS_ANALYTICS_ASK_FIELD_H

#include "query/condition.h"
#include "query/context.h"

/* What a row is: of analytics.events, of analytics.sessions (FINAL, or with sign), of analytics.profiles. Expressions name columns without a
 * table, so the FROM must not join another table with the same columns. */
enum analytics_scope { ANALYTICS_EVENTS, ANALYTICS_SESSIONS, ANALYTICS_PROFILES, ANALYTICS_SCOPE_COUNT };

/*
 * Names: the columns as stored and as the documents alias them (path, page, event_name, anonymous_id, ..), in snake or camel
 * case; bare utm_*; properties.<key>, where a "*" in the key makes it all keys that fit (QUERY_VALUE_TEXTS); has_profile;
 * profile.(id|first_name|last_name|email|avatar|created_at|last_seen_at|properties.<key>); group.(id|name|type|properties.<key>).
 * In sessions path and origin are those of the entry. Parameters may be bound to `text`. ERROR_INVALID names the field and
 * the nearest there is.
 */
enum error_code analytics_field_find(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                     struct slice name, struct query_term *ret_term, struct error *error) MUST_CHECK;

/* Over a row of analytics.groups: id, type, name, properties.<key>. */
enum error_code analytics_group_field_find(struct query_context *context, struct query_text *text, struct slice name,
                                           struct query_term *ret_term, struct error *error) MUST_CHECK;

/*
 * Appends " AND (condition)" for each filter of a JSON array [{"name" (or "field"), "operator" (or "op"), "value" (text,
 * number, boolean or a list of them; or "values"), "type"?}], or nothing when `filters` is no array. At most QUERY_FILTER_LIMIT.
 * cohort filters: {"name":"cohort","operator":"in_cohort"|"not_in_cohort" (inCohort, notInCohort),"value":id}. A filter without
 * values, where values are needed, is left out, as both products do. `field` names the array in messages.
 */
enum error_code analytics_filters_write(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                        struct json_value filters, const char *field, struct error *error) MUST_CHECK;
/* The same for filters of the address: filter=name:operator:value|value, repeated (docs/api.md). */
enum error_code analytics_filters_write_parameters(struct query_context *context, struct query_text *text,
                                                   enum analytics_scope scope, struct error *error) MUST_CHECK;
/* The body's member "filters" when there is one, else those of the address. */
enum error_code analytics_filters_write_asked(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                              struct error *error) MUST_CHECK;

/* " AND column IN (values)" for a parameter that may be repeated; nothing when it is absent. ERROR_TOO_LARGE beyond
 * QUERY_VALUE_LIMIT values. */
enum error_code analytics_values_write(struct query_context *context, struct query_text *text, const char *parameter,
                                       const char *column, struct error *error) MUST_CHECK;
/* " AND .." for each word of the parameter search: it must be a part of one of the columns ("id, '\\n', email"). ERROR_TOO_LARGE
 * beyond ANALYTICS_SEARCH_WORDS or ANALYTICS_SEARCH_BYTES: each is looked for in each column of every row. */
#define ANALYTICS_SEARCH_WORDS 5
#define ANALYTICS_SEARCH_BYTES 256
enum error_code analytics_search_write(struct query_context *context, struct query_text *text, const char *columns,
                                       struct error *error) MUST_CHECK;

/* Who: the profile (aliases count as the person they belong to), or the device of a visitor nobody is known to be. An
 * expression of type String over a row of events or sessions; "" where there is neither. */
struct slice analytics_person(struct query_context *context, struct error *error);
/* Only the profile, aliases followed; "" for visitors. Over rows of any table that has a profile_id. */
struct slice analytics_profile(struct query_context *context, struct error *error);
/* The person as a number, several times cheaper to count and to group by: cityHash64 of the name, 0 where there is none. Over a row of
 * events or device_days. Empty with `error` set on failure. */
struct slice analytics_person_hash(struct query_context *context, struct error *error);
/* The same over rows of sessions. */
struct slice analytics_person_hash_of_visit(struct query_context *context, struct error *error);
/* Whether the person is identified: a profile that is not just the device. */
#define ANALYTICS_IS_IDENTIFIED "(profile_id != '' AND profile_id != device_id)"
#define ANALYTICS_IS_PAGE_VIEW "name IN ('screen_view', 'page_view', 'pageview')"
/* Of a row of errors. The same as in analytics.error_hourly: messages that differ only in numbers and hexadecimal ids are one. */
#define ANALYTICS_ERROR_FINGERPRINT                                                                                    \
    "lower(hex(cityHash64(replaceRegexpAll(message, '0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,}|[0-9]+', '#'))))"
/* Rows made by ourselves at the ends of visits: not counted where "any event" is meant. */
#define ANALYTICS_IS_SENT "name NOT IN ('session_start', 'session_end')"

/*
 * Cohorts: people by what they did or are (ask/cohort.c). Appends a condition over a row of events or sessions: whether its
 * person is a member. ERROR_NOT_FOUND when the tenant has no such cohort.
 */
enum error_code analytics_cohort_write(struct query_context *context, struct query_text *text, struct slice cohort_id,
                                       bool is_member, struct error *error) MUST_CHECK;

#endif
