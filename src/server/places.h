/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie inside the data folder, and where the engine's library is found. */
#ifndef SERVER_PLACES_H
#define SERVER_PLACES_H

#include <limits.h>
#include "server/settings.h"

struct places {
    char data[PATH_MAX / 2];      /* absolute */
    char metadata[PATH_MAX];      /* for meta_open: "sqlite:DATA/metadata", or setting meta.url. May hold a password. */
    char spool[PATH_MAX];
    char engine[PATH_MAX];
    char engine_socket[PATH_MAX]; /* may stand elsewhere when the path is too long for a Unix socket */
    char boot[PATH_MAX];
    char library[PATH_MAX];
};

/* Creates the data folder. ERROR_INVALID when the library cannot be found, with the places looked at; with store.url it is
 * not looked for. */
enum error_code places_find(const struct settings *settings, struct places *ret_places, struct error *error) MUST_CHECK;
/* For geo_open: setting geo.database, or else the folder geo in the data folder or beside the program, or nothing. */
struct slice places_find_geo(const struct settings *settings, const struct places *places, char *out, size_t size);
/* Only places.metadata, for commands that need neither the event store nor an existing data folder. */
enum error_code places_find_metadata(const struct settings *settings, char out[PATH_MAX], struct error *error) MUST_CHECK;
/* Whether other servers may use the same metadata: it is on PostgreSQL. */
bool places_metadata_is_shared(const struct settings *settings);
/* Whether the machine has not gone down since places_note_boot was last called for this folder (or it never was). */
bool places_is_same_boot(const struct places *places);
enum error_code places_note_boot(const struct places *places, struct error *error) MUST_CHECK;

#endif
