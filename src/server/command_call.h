/* SPDX-License-Identifier: Apache-2.0 */
/* What a command needs to change what people own: the opened metadata, and a call that may do everything. */
#ifndef SERVER_COMMAND_CALL_H
#define SERVER_COMMAND_CALL_H

#include "control/control.h"
#include "server/settings.h"

struct command_call {
    struct control control;
    struct control_call call; /* the command line: may do everything, in no organization or tenant until one is set */
};
/* Works beside a running server and without one. Must stay where it is. After an error nothing is open. */
enum error_code command_call_open(const struct settings *settings, struct command_call *command,
                                  struct error *error) MUST_CHECK;
void command_call_close(struct command_call *command);

#endif
