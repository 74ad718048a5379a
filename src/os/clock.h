/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks: wall time for people and rows, monotonic time for deadlines. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Unix milliseconds; may jump when the machine's time is set. */
int64_t os_clock_wall_ms(void);
/* Microseconds since an arbitrary start; never goes back. */
int64_t os_clock_monotonic_us(void);
static inline int64_t os_clock_monotonic_ms(void) { return os_clock_monotonic_us() / 1000; }
/* A test moves the wall clock by this much (may be negative); 0 in production. */
void os_clock_set_wall_offset_ms(int64_t offset_ms);

#endif
