/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the metadata for a command. */
#include "server/command_call.h"

#include "os/clock.h"
#include "server/installation_secret.h"
#include "server/places.h"

/* Of one command: it handles one thing, or one page of a list after the other. */
#define COMMAND_ARENA_BYTES (64u << 20)

enum error_code command_call_open(const struct settings *settings, struct command_call *command, struct error *error)
{
    char metadata[PATH_MAX];
    *command = (struct command_call){0};
    snprintf(command->control.public_url, sizeof command->control.public_url, "%s", settings->public_url);
    command->control.mail_is_configured = settings->mail_url[0] != 0;
    command->call = (struct control_call){.control = &command->control, .arena = arena_create(COMMAND_ARENA_BYTES),
                                          .now_ms = os_clock_wall_ms(),
                                          .actor = {.kind = CONTROL_ACTOR_COMMAND, .is_super = true,
                                                    .ip_address = SLICE_EMPTY, .user_agent = SLICE_EMPTY}};
    if (!command->call.arena) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = places_find_metadata(settings, metadata, error);
    if (!code) code = control_open(metadata, &command->control, error);
    if (!code) code = installation_secret_load(settings, command->control.core, command->control.secret, error);
    if (code) command_call_close(command);
    return code;
}

void command_call_close(struct command_call *command)
{
    control_close(&command->control);
    arena_destroy(command->call.arena);
    command->call.arena = NULL;
    explicit_bzero(command->control.secret, sizeof command->control.secret);
}
