/* SPDX-License-Identifier: Apache-2.0 */
/* How often one client address may ask for what needs no login. */
#ifndef API_LIMIT_H
#define API_LIMIT_H

#include "base/slice.h"

/*
 * Model: one time per slot of a fixed table, shared by all event loops without a lock (the generic cell rate algorithm:
 * the time up to which the address has used up its share). The slot is a keyed hash of the address; two addresses that
 * meet in one share it, which is rare and only ever makes the limit stricter. IPv6 addresses count by their /64: a
 * household has that many. Nothing is kept of whom the slots belong to.
 *
 * Of logins, thirty at once: an office behind one address logs in together in the morning. Then one in two seconds: beside the
 * lockout of each account, a guesser at one address is left with thirty passwords a minute over all accounts.
 */
#define API_LIMIT_SLOTS 65536 /* 512 KiB */
#define API_LIMIT_BURST 30
#define API_LIMIT_INTERVAL_MS 2000
/* Of flags, for each client id: what Databuddy allows. */
#define API_FLAG_BURST 600
#define API_FLAG_INTERVAL_MS 100
/* Of short links that do not exist: slugs of three letters must not be tried out. */
#define API_LINK_BURST 60
#define API_LINK_INTERVAL_MS 1000

struct api_limit;
/* So many at once, then one each interval. NULL when out of memory. */
struct api_limit *api_limit_create(int burst, int interval_ms);
void api_limit_destroy(struct api_limit *limit);
struct api_limit_state {
    int64_t remaining;      /* more tries at once */
    int64_t retry_after_ms; /* 0: this one is allowed */
    int64_t reset_ms;       /* until all are there again */
};
/* Takes one try of the address for `what` (empty: there is only one thing). `now_ms` is monotonic. Any thread. */
struct api_limit_state api_limit_take(struct api_limit *limit, struct slice address, struct slice what, int64_t now_ms);

#endif
