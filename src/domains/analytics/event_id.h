/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of events that clients did not name: UUIDs of version 7 that take little room in the event store. */
#ifndef DOMAINS_ANALYTICS_EVENT_ID_H
#define DOMAINS_ANALYTICS_EVENT_ID_H

#include "base/uuid.h"

/*
 * A program counts up the last 40 bits behind a beginning drawn at its first event: the time (48 bits) and 34 random
 * bits. So ids differ between programs and machines, and neighbours in the table differ in a few bytes: 2 of them on
 * disk, where random ids took 11 of the 52 that an event had. The time in an id is that of the first event of the program;
 * ids can be guessed and are no secrets.
 */
struct uuid event_id_make(int64_t now_ms);

#endif
