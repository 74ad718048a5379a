/* SPDX-License-Identifier: Apache-2.0 */
/* Files that tools/embed turned into C arrays at build time. */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;           /* without folders */
    const char *path;           /* as given at build time */
    const unsigned char *data;  /* a zero stands behind it, so text files can be used as strings */
    size_t size;                /* without that zero */
};

#endif
