/* SPDX-License-Identifier: Apache-2.0 */
/* POST /track is a route of OpenPanel and of Databuddy: whose request it is. */
#ifndef DOMAINS_ANALYTICS_TRACK_H
#define DOMAINS_ANALYTICS_TRACK_H

#include "domains/analytics/dialect.h"

struct slice analytics_track_find_key(const struct request *request);
enum error_code analytics_track_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
const char *analytics_track_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);

/* The text of a member of the outermost object (or of the first one in an array) of JSON that is not parsed yet; empty when
 * there is none, or it has escapes. */
struct slice track_body_member(struct slice body, const char *name);

#endif
