/* SPDX-License-Identifier: Apache-2.0 */
/* The flag reader. */
#include "server/options.h"

static void options_print_help(const struct option_table *table)
{
    printf("usage: %s\n\n%s\n", table->usage, table->description);
    if (table->options && table->options->name) printf("\nflags:\n");
    for (const struct option *option = table->options; option && option->name; option++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->value_name ? " " : "", option->value_name ? option->value_name : "");
        printf("  %-28s %s\n", left, option->help);
    }
    if (table->takes_settings) printf("\nEvery setting is a flag too (--spool.seal_age 1s); see docs/config.md or `millrace serve --print-config`.\n");
}

static const struct option *options_find(const struct option_table *table, struct slice name)
{
    for (const struct option *option = table->options; option && option->name; option++)
        if (slice_equal(name, slice_from_string(option->name))) return option;
    return NULL;
}

static enum error_code options_take_flag(const struct option_table *table, int argc, char **argv, int *position,
                                         struct settings *settings, struct error *error)
{
    struct slice rest = slice_from_string(argv[*position] + 2);
    bool has_value = slice_index_of(rest, '=') >= 0;
    struct slice name = slice_cut(&rest, '=');
    const struct option *option = options_find(table, name);
    if (option && !option->value_name) {
        if (has_value) return error_set(error, ERROR_INVALID, "--%s takes no value", option->name);
        *option->flag = true;
        return ERROR_NONE;
    }
    const char *value = has_value ? rest.data : *position + 1 < argc ? argv[*position + 1] : NULL;
    if (option || table->takes_settings) {
        if (!value) return error_set(error, ERROR_INVALID, "--%.*s needs a value", SLICE_ARGS(name));
        if (option) *option->text = value;
        else {
            enum error_code code = settings_set(settings, name, value, SETTINGS_FLAG, error);
            if (code == ERROR_NOT_FOUND)
                return error_set(error, ERROR_INVALID, "there is no flag or setting --%.*s (see --help)", SLICE_ARGS(name));
            if (code != ERROR_NONE) return code;
        }
        if (!has_value) ++*position;
        return ERROR_NONE;
    }
    return error_set(error, ERROR_INVALID, "there is no flag --%.*s (see --help)", SLICE_ARGS(name));
}

enum error_code options_parse(const struct option_table *table, int argc, char **argv, struct settings *settings,
                              struct options *ret_options, struct error *error)
{
    *ret_options = (struct options){0};
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0) {
            only_positional = true;
            continue;
        }
        if (!only_positional && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            options_print_help(table);
            ret_options->help = true;
            return ERROR_NONE;
        }
        if (!only_positional && argv[i][0] == '-' && argv[i][1] == '-') {
            enum error_code code = options_take_flag(table, argc, argv, &i, settings, error);
            if (code != ERROR_NONE) return code;
            continue;
        }
        if (ret_options->positional_count == table->positional_most)
            return error_set(error, ERROR_INVALID, "\"%s\" is one argument too many (see --help)", argv[i]);
        ret_options->positional[ret_options->positional_count++] = argv[i];
    }
    if (ret_options->positional_count < table->positional_least)
        return error_set(error, ERROR_INVALID, "%s is missing; usage: %s", table->positional_names, table->usage);
    return ERROR_NONE;
}
