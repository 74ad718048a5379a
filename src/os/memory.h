/* SPDX-License-Identifier: Apache-2.0 */
/* How the C library keeps freed memory: buffers of whole segments come and go, and fresh pages cost more than copying into them. */
#ifndef OS_MEMORY_H
#define OS_MEMORY_H

/* Freed memory stays with the process instead of going back to the kernel at once. Once, at start. */
void os_memory_keep(void);
/* Gives back what is free: after work, some milliseconds. Any thread. */
void os_memory_give_back(void);

#endif
