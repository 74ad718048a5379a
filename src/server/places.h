/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie inside the data folder, and where the engine's library is found. */
#ifndef SERVER_PLACES_H
#define SERVER_PLACES_H

#include <limits.h>
#include "server/settings.h"

struct places {
    char data[PATH_MAX / 2];      /* absolute */
    char metadata[PATH_MAX];      /* "sqlite:DATA/metadata" for meta_open */
    char spool[PATH_MAX];
    char engine[PATH_MAX];
    char engine_socket[PATH_MAX]; /* may stand elsewhere when the path is too long for a Unix socket */
    char secret[PATH_MAX];
    char boot[PATH_MAX];
    char library[PATH_MAX];
};

/* Creates the data folder. ERROR_INVALID when the library cannot be found, with the places looked at; with store.url it is
 * not looked for. */
enum error_code places_find(const struct settings *settings, struct places *ret_places, struct error *error) MUST_CHECK;
/* Reads the installation's 32 secret bytes, making them at the first start. */
enum error_code places_secret(const struct places *places, unsigned char secret[32], struct error *error) MUST_CHECK;
/* Whether the machine has not gone down since places_note_boot was last called for this folder (or it never was). */
bool places_is_same_boot(const struct places *places);
enum error_code places_note_boot(const struct places *places, struct error *error) MUST_CHECK;

#endif
