/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: which events are meant, as people say it in questions about behaviour, and as a condition over rows of events. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_STEP_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_STEP_H

#include "domains/analytics/ask/field.h"

/*
 * Model: a step is the name of an event, or {"event": name or names (any of them fits), "page": path or paths of page views,
 * "name": label, "filters": [..]}; {"type": "PAGE_VIEW"|"EVENT"|"CUSTOM", "target": .., "name"} means the same. Where nothing
 * else says it, the name is that of the event, as in series of charts. "*" is any event that
 * was sent. A page fits with and without a slash at its end.
 */
#define ANALYTICS_STEP_NAMES 20 /* of one step: more are a filter */
struct analytics_step {
    struct slice names[ANALYTICS_STEP_NAMES];
    size_t name_count;
    bool is_any;       /* of any name: name_count is 0 */
    struct slice pages[2 * ANALYTICS_STEP_NAMES];
    size_t page_count; /* 0: on any page */
    struct slice label;
    struct json_value filters;
    bool has_filters;
};
/* `field` is for messages. */
enum error_code analytics_step_parse(struct query_context *context, struct json_value value, const char *field,
                                     struct analytics_step *ret_step, struct error *error) MUST_CHECK;
/* Of a member of the body, or a parameter of the address (a name): any event when it is absent. */
enum error_code analytics_step_parse_member(struct query_context *context, const char *name, struct analytics_step *ret_step,
                                            struct error *error) MUST_CHECK;
/* A step that is an event of this name. */
void analytics_step_of_name(struct slice name, struct analytics_step *ret_step);

/* Appends the condition, in parentheses. */
enum error_code analytics_step_write(struct query_context *context, struct query_text *text, const struct analytics_step *step,
                                     const char *field, struct error *error) MUST_CHECK;
/* Appends a condition that rows of all these steps fulfil, by their names alone: it is cheap and reads one small column. */
void analytics_steps_write_names(struct query_text *text, const struct analytics_step *steps, size_t count);
/* Whether no event can fit two of them, as their names say. */
bool analytics_steps_are_disjoint(const struct analytics_step *steps, size_t count);

/* Whether all of these are in analytics.actions, which has who, what and when of all that is no page view and no end of a visit. */
bool analytics_steps_are_actions(const struct analytics_step *steps, size_t count);

#endif
