/* SPDX-License-Identifier: Apache-2.0 */
/* glibc's knobs for freed memory. */
#include "os/memory.h"

#include <malloc.h>

#define MEMORY_MAPPED_FROM_BYTES (32 << 20)  /* the most glibc allows: larger blocks still come from the kernel each time */
#define MEMORY_KEPT_BYTES (256 << 20)
#define MEMORY_GROWTH_BYTES (4 << 20) /* a heap's: each time it grows the kernel is asked */

void os_memory_keep(void)
{
    mallopt(M_MMAP_THRESHOLD, MEMORY_MAPPED_FROM_BYTES);
    mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_BYTES);
    mallopt(M_TOP_PAD, MEMORY_GROWTH_BYTES);
}

void os_memory_give_back(void) { malloc_trim(0); }
