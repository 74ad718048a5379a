/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the signals that wait. */
#include "server/stopping.h"

#include <signal.h>

bool stopping_is_asked(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}
