/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: the offset of a zone at an instant, and the instant at which its clocks show a local time. */
#ifndef QUERY_ZONE_H
#define QUERY_ZONE_H

#include "base/arena.h"
#include "base/error.h"

/*
 * Model: a zone is what one TZif file (RFC 8536) says: a sorted list of transitions, and a rule for the time after the
 * last. Local times are counted like Unix seconds, as if the zone were UTC. libc cannot be asked, because it keeps one
 * zone per process. Immutable once made.
 */
struct query_zone;

#define QUERY_ZONE_NAME_LIMIT 64 /* bytes; the longest IANA name has 32 */

/*
 * ERROR_INVALID: not a name of a zone. ERROR_UNAVAILABLE: this machine has no zone data (package tzdata); "UTC" needs
 * none. ERROR_CORRUPT: the file is damaged.
 */
enum error_code query_zone_load(struct slice name, struct arena *arena, const struct query_zone **ret_zone,
                                struct error *error) MUST_CHECK;
/* The bytes of a TZif file; the zone points into them. */
enum error_code query_zone_parse(struct slice bytes, struct arena *arena, const struct query_zone **ret_zone,
                                 struct error *error) MUST_CHECK;
/* Seconds east of UTC. */
int32_t query_zone_offset(const struct query_zone *zone, int64_t unix_seconds);
static inline int64_t query_zone_local(const struct query_zone *zone, int64_t unix_seconds)
{
    return unix_seconds + query_zone_offset(zone, unix_seconds);
}
/*
 * The first instant at which the clock shows this local time; when it is skipped (spring forward), the instant of the
 * jump, so that a day whose midnight does not exist starts at 01:00.
 */
int64_t query_zone_instant(const struct query_zone *zone, int64_t local_seconds);

#endif
