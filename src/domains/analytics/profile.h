/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a profile, from any dialect: gathered and checked first, then written as rows that add up. */
#ifndef DOMAINS_ANALYTICS_PROFILE_H
#define DOMAINS_ANALYTICS_PROFILE_H

#include "domains/analytics/row.h"

/*
 * Model: a profile is never read and written back. Each change is one row of analytics.profile_changes: a value set, a
 * value removed, an amount added; analytics.profiles says what they come to. So two requests at once lose nothing, and an
 * increment needs no profile to be there before it.
 */
#define PROFILE_CHANGE_LIMIT EVENT_PROPERTY_LIMIT /* of one request, as properties of an event */
#define PROFILE_NAME_LIMIT_BYTES 256
#define PROFILE_VALUE_LIMIT_BYTES 4096
#define PROFILE_AMOUNT_LIMIT 10000000000.0 /* what one increment may add: sums stay far from the column's end */

struct analytics_profile_change;
struct analytics_profile {
    const struct analytics_context *context;
    struct slice id;
    struct analytics_profile_change *first, **end;
    size_t count;
};
void analytics_profile_begin(struct analytics_profile *profile, const struct analytics_context *context,
                             struct slice profile_id);
/* `field`: "identified", "first_name", "last_name", "email", "avatar"; "group" and "property" with a name. */
enum error_code analytics_profile_set(struct analytics_profile *profile, const char *field, struct slice name,
                                      struct slice value, struct error *error) MUST_CHECK;
/* A client's value of a field: null removes it, "" leaves it as it is. ERROR_INVALID has the field `place`. */
enum error_code analytics_profile_set_value(struct analytics_profile *profile, const char *field, struct slice name,
                                            const char *place, struct json_value value, struct error *error) MUST_CHECK;
/* Properties: objects and arrays become dotted names; null removes a property, "" leaves it as it is. */
enum error_code analytics_profile_set_properties(struct analytics_profile *profile, struct json_value properties,
                                                 struct error *error) MUST_CHECK;
/* `amount` times ANALYTICS_ROW_DECIMAL_SCALE. */
enum error_code analytics_profile_add(struct analytics_profile *profile, struct slice name, int64_t amount,
                                      struct error *error) MUST_CHECK;
/* Writes all rows, and one that says that the profile was seen. Cannot fail: call arena_failed before. */
void analytics_profile_write(const struct analytics_profile *profile, struct domain_rows *rows);

/* The order of changes: larger for each call of this process, and by our clock among processes. */
int64_t analytics_change_version(int64_t received_ms);

/* Another name of a profile. */
void analytics_alias_write(const struct analytics_context *context, struct domain_rows *rows, struct slice profile_id,
                           struct slice alias);

#endif
