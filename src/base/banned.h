/* SPDX-License-Identifier: Apache-2.0 */
/* Turns libc calls that overflow, truncate silently or share hidden state into compile errors. Forced into every file. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gets
#undef gmtime
#undef localtime
#undef ctime
#undef asctime
#undef atoi
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets gmtime localtime ctime asctime atoi

#endif
