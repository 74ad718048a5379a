/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the two clocks; the wall clock can be shifted by tests. */
#include "os/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t wall_offset_ms;

int64_t os_clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 +
           atomic_load_explicit(&wall_offset_ms, memory_order_relaxed);
}

int64_t os_clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void os_clock_set_wall_offset_ms(int64_t offset_ms)
{
    atomic_store_explicit(&wall_offset_ms, offset_ms, memory_order_relaxed);
}
