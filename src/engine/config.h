/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's own configuration files, written anew at every start from our settings. */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "base/buffer.h"
#include "base/error.h"
#include "engine/engine.h"

/* The main configuration: memory, threads, durability of every table. `users_path` is absolute. */
void engine_config_write_main(const struct engine_settings *settings, const char *users_path, struct buffer *out);

/* The default profile and one row policy per table or view. ERROR_INVALID for names that XML or SQL could misread. */
enum error_code engine_config_write_users(const struct engine_settings *settings, struct buffer *out,
                                          struct error *error) MUST_CHECK;

/* Writes both files into `directory` (absolute). `ret_path` gets the main file's path. */
enum error_code engine_config_write(const struct engine_settings *settings, const char *directory,
                                    struct buffer *ret_path, struct error *error) MUST_CHECK;

#endif
