/* SPDX-License-Identifier: Apache-2.0 */
/* One run of ids per program, handed to threads in blocks. */
#include "domains/analytics/event_id.h"

#include <pthread.h>
#include <stdatomic.h>

/* Threads meet at the counter once in so many events. */
#define EVENT_ID_BLOCK 256

static struct uuid event_id_run;
static atomic_uint_fast64_t event_id_next_block;
static _Thread_local int64_t event_id_begin_ms;

static void event_id_begin(void) { event_id_run = uuid_make_v7(event_id_begin_ms); }

struct uuid event_id_make(int64_t now_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local uint64_t next;
    if (next % EVENT_ID_BLOCK == 0) {
        event_id_begin_ms = now_ms;
        pthread_once(&once, event_id_begin);
        next = atomic_fetch_add(&event_id_next_block, 1) * EVENT_ID_BLOCK;
    }
    struct uuid id = event_id_run;
    for (int i = 0; i < 5; i++) id.bytes[11 + i] = (uint8_t)(next >> (32 - 8 * i));
    next++;
    return id;
}
