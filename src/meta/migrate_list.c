/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the list of migrations from the SQL files embedded in the program. */
#include "meta/migrate.h"

struct migrate_file_name {
    unsigned number;
    struct slice name;
    bool down;
};

static bool migrate_file_name_parse(const char *text, struct migrate_file_name *parsed)
{
    struct slice rest = slice_from_string(text);
    struct slice digits = slice_cut(&rest, '_');
    uint64_t number;
    if (digits.size != 4 || !slice_parse_uint64(digits, &number) || number == 0) return false;
    if (slice_ends_with(rest, SLICE(".up.sql")))
        parsed->down = false, rest.size -= strlen(".up.sql");
    else if (slice_ends_with(rest, SLICE(".down.sql")))
        parsed->down = true, rest.size -= strlen(".down.sql");
    else
        return false;
    parsed->number = (unsigned)number;
    parsed->name = rest;
    return rest.size > 0 && rest.size < MIGRATE_NAME_SIZE;
}

static enum error_code migrate_list_fill(const struct embedded_file *files, struct migration *migrations, size_t count,
                                         char *names, struct error *error)
{
    for (const struct embedded_file *file = files; file->name; file++) {
        struct migrate_file_name parsed;
        if (!migrate_file_name_parse(file->name, &parsed))
            return error_set(error, ERROR_INVALID, "migration file %s is not named NNNN_name.up.sql or .down.sql",
                             file->name);
        if (parsed.number > count)
            return error_set(error, ERROR_INVALID, "migration file %s leaves a hole before it, or has no up file",
                             file->name);
        struct migration *migration = &migrations[parsed.number - 1];
        const char **text = parsed.down ? &migration->down : &migration->up;
        if (*text) return error_set(error, ERROR_INVALID, "migration file %s: this number exists twice", file->name);
        *text = (const char *)file->data;
        if (migration->name && !slice_equal(slice_from_string(migration->name), parsed.name))
            return error_set(error, ERROR_INVALID, "migration file %s: its other half is called %s", file->name,
                             migration->name);
        if (!migration->name) {
            char *name = names + (parsed.number - 1) * MIGRATE_NAME_SIZE;
            memcpy(name, parsed.name.data, parsed.name.size);
            name[parsed.name.size] = 0;
            migration->name = name;
        }
        migration->number = parsed.number;
    }
    for (size_t i = 0; i < count; i++)
        if (!migrations[i].up) return error_set(error, ERROR_INVALID, "migration %04zu has no up file", i + 1);
    return ERROR_NONE;
}

enum error_code migrate_list_create(const struct embedded_file *files, struct migration **ret_migrations,
                                    size_t *ret_count, struct error *error)
{
    size_t count = 0;
    for (const struct embedded_file *file = files; file->name; file++)
        if (slice_ends_with(slice_from_string(file->name), SLICE(".up.sql"))) count++;
    struct migration *migrations = calloc(count + 1, sizeof *migrations + MIGRATE_NAME_SIZE);
    if (!migrations) return error_set(error, ERROR_MEMORY, "out of memory listing migrations");
    enum error_code code = migrate_list_fill(files, migrations, count, (char *)(migrations + count + 1), error);
    if (code) {
        migrate_list_free(migrations);
        return code;
    }
    *ret_migrations = migrations;
    *ret_count = count;
    return ERROR_NONE;
}

void migrate_list_free(struct migration *migrations) { free(migrations); }
