/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the program: one function each, one table in main.c. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "base/error.h"
#include "server/options.h"

/* Exit statuses: 0 done, 1 it failed (the reason is on standard error), 2 the words of the command are off. */
#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the first word after the command */
};

int command_serve(int argc, char **argv);
int command_engine(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_tenant(int argc, char **argv);
int command_user(int argc, char **argv);
int command_people(int argc, char **argv);
int command_role(int argc, char **argv);
int command_key(int argc, char **argv);
int command_audit(int argc, char **argv);
int command_spool(int argc, char **argv);
int command_sql(int argc, char **argv);
int command_import(int argc, char **argv);
int command_demo(int argc, char **argv);

/* Prints "millrace: message" on standard error and returns the exit status that fits. */
int command_fail(const struct error *error);

#endif
