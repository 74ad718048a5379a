/* SPDX-License-Identifier: Apache-2.0 */
/* Where the program starts: finds the command and runs it. */
#include <signal.h>

#include "server/commands.h"

static const struct command commands[] = {
    {"serve", "take events and answer questions", command_serve},
    {"demo", "a server with a demo tenant and sample traffic, or the traffic alone", command_demo},
    {"tenant", "create, list, delete, restore and purge tenants", command_tenant},
    {"user", "make, list, lock and help users", command_user},
    {"role", "show and make roles, give them to users and take them away", command_role},
    {"key", "make, list, rotate and revoke keys of programs, and see how they are used", command_key},
    {"people", "give out or remove all that is known of one visitor", command_people},
    {"audit", "list who did what, and check that nothing of it was changed", command_audit},
    {"import", "load events from files (weblog)", command_import},
    {"spool", "look at what is not stored yet; replay or drop what was refused", command_spool},
    {"sql", "run an administrator's SQL in the event store", command_sql},
    {"migrate", "apply, undo or list the migrations of both databases", command_migrate},
    {"doctor", "look for weak or wrong settings and states", command_doctor},
    {"engine", "the embedded event store alone, speaking the ClickHouse HTTP protocol", command_engine},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
    fprintf(out, "usage: millrace COMMAND [arguments]\n\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n`millrace COMMAND --help` says more. Start with `millrace serve --data DIR`.\n");
}

int command_fail(const struct error *error)
{
    fprintf(stderr, "millrace: %s\n", error->message);
    return error->code == ERROR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error value of write, not the end of the program */
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        printf("millrace %s\n", MILLRACE_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "millrace: there is no command \"%s\"\n", name);
    print_help(stderr);
    return EXIT_USAGE;
}
