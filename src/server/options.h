/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a command's flags by a table, which also prints its --help. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "server/settings.h"

/* One flag: `--name VALUE` or `--name=VALUE` into *text, or a bare `--name` into *flag. */
struct option {
    const char *name;       /* without the dashes */
    const char *value_name; /* NULL for a bare flag */
    const char **text;
    bool *flag;
    const char *help;
};
struct option_table {
    const char *usage;            /* "millrace tenant create NAME [flags]" */
    const char *description;      /* what the command does, some lines */
    const struct option *options; /* ended by a NULL name */
    const char *positional_names; /* for messages: "NAME"; NULL when there are none */
    size_t positional_least, positional_most;
    bool takes_settings;          /* every setting is a flag too */
};
#define OPTIONS_POSITIONAL_LIMIT 4
struct options {
    const char *positional[OPTIONS_POSITIONAL_LIMIT];
    size_t positional_count;
    bool help;                    /* --help was given: it has been printed, do nothing more */
};

/* ERROR_INVALID with a message for the person at the terminal. `settings` may be NULL when takes_settings is false. */
enum error_code options_parse(const struct option_table *table, int argc, char **argv, struct settings *settings,
                              struct options *ret_options, struct error *error) MUST_CHECK;

#endif
