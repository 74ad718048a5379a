/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: what clients send beside plain events (vitals, errors, custom events, engagement, links, model calls), in any dialect. */
#ifndef DOMAINS_ANALYTICS_REPORT_H
#define DOMAINS_ANALYTICS_REPORT_H

#include "domains/analytics/dialect.h"

/*
 * Model: a kind of report is a table of members (report.c) and the table its rows go to. A member's name is that of its
 * column, in snake or camel case; what a report has in common with events (ids, time, page, dimensions) goes through an
 * event, which takes the same enrichment steps, and is copied from there. Custom events and links are events too: they
 * leave a row of the same id in analytics.events.
 */
enum analytics_report_kind {
    ANALYTICS_REPORT_VITAL,
    ANALYTICS_REPORT_ERROR,
    ANALYTICS_REPORT_CUSTOM,
    ANALYTICS_REPORT_ENGAGEMENT,
    ANALYTICS_REPORT_LINK,
    ANALYTICS_REPORT_AI_CALL,
    ANALYTICS_REPORT_KIND_COUNT
};
struct analytics_report_info {
    const char *own_type, *own_alias; /* values of `type` in our own dialect */
    const char *databuddy_type;       /* what Databuddy's answers call it */
    enum analytics_table table;
};
extern const struct analytics_report_info analytics_reports[ANALYTICS_REPORT_KIND_COUNT];
/* By `type` of our own dialect; COUNT when it is none. */
enum analytics_report_kind analytics_report_find(struct slice type);

/* What the reports of one request have in common. */
struct analytics_report_rules {
    const struct analytics_context *context;
    struct domain_output *output;
    const struct privacy_salt *visitor_salt; /* hides visitors' ids unless the item says not to; NULL: they are kept */
    struct slice scope;      /* stands in ids made from the client's: the client's own name */
    struct slice website;    /* of custom events that name none; may be empty */
    struct slice sdk_name, sdk_version; /* of reports that are events too; may be empty */
    bool strict;             /* unknown members are refused, else left out */
    bool derived;            /* ids as Databuddy makes them, else as those of /v1/events */
    size_t property_members; /* of the object, before nested ones are flattened; 0: as the context says */
};
/* Stores one report, or counts it as a duplicate. `position` in the request tells apart items that are the same. */
enum error_code analytics_report_take(const struct analytics_report_rules *rules, enum analytics_report_kind kind,
                                      struct json_value item, size_t position, struct error *error) MUST_CHECK;

/* Replaces the id of a visitor by one that holds for a day, when the item (anonymizeVisitorIds) or the salt says so. */
enum error_code analytics_visitor_hide(struct analytics_event *event, const struct analytics_context *context,
                                       const struct privacy_salt *salt, struct json_value item, struct error *error) MUST_CHECK;
/* Forgets a session id that is not made of letters, digits, '_' and '-'. */
void analytics_session_clean(struct analytics_event *event);
/* SHA-256 over a JSON array of the parts, shaped as a UUID of version 5: ids that Databuddy derives. */
struct uuid analytics_derived_id(struct slice scope, const char *type, struct slice name);

#endif
