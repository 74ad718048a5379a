/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this process was told to end while it is still starting. */
#ifndef SERVER_STOPPING_H
#define SERVER_STOPPING_H

#include <stdbool.h>

/* SIGTERM or SIGINT waits to be taken. A server blocks both from its start on and takes them in server_wait: whatever
 * waits before that asks here, or nobody could end it but with SIGKILL. Never true where they are not blocked. */
bool stopping_is_asked(void);

#endif
