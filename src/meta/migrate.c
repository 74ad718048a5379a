/* SPDX-License-Identifier: Apache-2.0 */
/* The migration runner: compares files with the record, then goes one migration at a time. */
#include "meta/migrate.h"

#include "os/clock.h"

/* The record of a target, by number: applied[n - 1] is number n. */
struct migrate_history {
    struct migrate_record *applied;
    size_t count; /* the highest number; holes have number 0 */
    size_t capacity;
};

/* No program has that many: guards against a record that is not ours. */
#define MIGRATE_LIMIT 10000

const char *migrate_state_name(enum migrate_state state)
{
    static const char *const names[] = {"pending", "applied", "edited", "unknown"};
    return names[state];
}

static void migrate_checksum(const char *text, char out[MIGRATE_CHECKSUM_SIZE + 1])
{
    snprintf(out, MIGRATE_CHECKSUM_SIZE + 1, "%016llx", (unsigned long long)slice_hash(slice_from_string(text)));
}

static bool migrate_is_edited(const struct migrate_record *record, const struct migration *migration)
{
    char checksum[MIGRATE_CHECKSUM_SIZE + 1];
    migrate_checksum(migration->up, checksum);
    return strcmp(checksum, record->checksum) != 0;
}

static enum error_code migrate_history_add(void *context, const struct migrate_record *record, struct error *error)
{
    struct migrate_history *history = context;
    if (record->number == 0 || record->number > MIGRATE_LIMIT)
        return error_set(error, ERROR_CORRUPT, "the record of migrations holds number %u", record->number);
    if (record->number > history->capacity) {
        size_t capacity = record->number + 32;
        struct migrate_record *applied = realloc(history->applied, capacity * sizeof *applied);
        if (!applied) return error_set(error, ERROR_MEMORY, "out of memory reading the record of migrations");
        memset(applied + history->capacity, 0, (capacity - history->capacity) * sizeof *applied);
        history->applied = applied;
        history->capacity = capacity;
    }
    history->applied[record->number - 1] = *record;
    if (record->number > history->count) history->count = record->number;
    return ERROR_NONE;
}

static enum error_code migrate_history_read(const struct migrate_target *target, struct migrate_history *history,
                                            struct error *error)
{
    if (history->applied) memset(history->applied, 0, history->capacity * sizeof *history->applied);
    history->count = 0;
    return target->list(target->context, migrate_history_add, history, error);
}

static enum error_code migrate_history_check(const struct migrate_target *target, const struct migrate_history *history,
                                             const struct migration *migrations, size_t count, struct error *error)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct migrate_record *record = &history->applied[i];
        if (record->number == 0)
            return error_set(error, ERROR_CONFLICT,
                             "%s: migration %04zu is not applied although %04zu is: the record was changed by hand",
                             target->label, i + 1, history->count);
        if (i >= count)
            return error_set(
                error, ERROR_CONFLICT,
                "%s: migration %04u_%s is applied but unknown here (this program knows %zu): a newer version has "
                "been at work, run that one",
                target->label, record->number, record->name, count);
        if (migrate_is_edited(record, &migrations[i]))
            return error_set(
                error, ERROR_CONFLICT,
                "%s: migration %04u_%s was edited after it had been applied: restore its text and write a new one",
                target->label, record->number, migrations[i].name);
    }
    return ERROR_NONE;
}

static enum error_code migrate_check_list(const struct migrate_target *target, const struct migration *migrations,
                                          size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (migrations[i].number != i + 1)
            return error_set(error, ERROR_INVALID, "%s: migration %04u stands where %04zu should be", target->label,
                             migrations[i].number, i + 1);
    return ERROR_NONE;
}

static enum error_code migrate_execute(const struct migrate_target *target, const char *text, struct error *error)
{
    struct slice script = slice_from_string(text), statement;
    if (!target->one_statement) return target->execute(target->context, script, error);
    while (migrate_split(&script, target->backslash_escapes, &statement)) {
        enum error_code code = target->execute(target->context, statement, error);
        if (code) return code;
    }
    return ERROR_NONE;
}

/* Runs one migration and its record; the target is inside begin. */
static enum error_code migrate_run(const struct migrate_target *target, const struct migration *migration, bool down,
                                   struct error *error)
{
    if (down && !migration->down)
        return error_set(error, ERROR_INVALID, "it has no down file and cannot be undone");
    enum error_code code = migrate_execute(target, down ? migration->down : migration->up, error);
    if (code) return code;
    if (down) return target->forget(target->context, migration->number, error);
    struct migrate_record record = {.number = migration->number, .applied_ms = os_clock_wall_ms()};
    snprintf(record.name, sizeof record.name, "%s", migration->name);
    migrate_checksum(migration->up, record.checksum);
    return target->record(target->context, &record, error);
}

/* Puts target, number and name in front of the message. */
static void migrate_name_error(const struct migrate_target *target, const struct migration *migration, bool down,
                               struct error *error)
{
    if (!error) return;
    struct error plain = *error;
    snprintf(error->message, sizeof error->message, "%s: migration %04u_%s (%s): %.400s", target->label,
             migration->number, migration->name, down ? "down" : "up", plain.message);
}

/*
 * Goes one migration up or down. *ret_done tells that there is nothing left to do in that direction: up to number `to`,
 * or down to it.
 */
static enum error_code migrate_step(const struct migrate_target *target, const struct migration *migrations,
                                    size_t count, unsigned to, bool down, struct migrate_history *history,
                                    migrate_progress_function progress, void *progress_context, bool *ret_done,
                                    struct error *error)
{
    enum error_code code = target->begin(target->context, error);
    if (code) return code;
    const struct migration *migration = NULL;
    int64_t started_us = os_clock_monotonic_us();
    code = migrate_history_read(target, history, error);
    if (!code) code = migrate_history_check(target, history, migrations, count, error);
    *ret_done = !code && (down ? history->count <= to : history->count >= to);
    if (!code && !*ret_done) {
        migration = &migrations[down ? history->count - 1 : history->count];
        if (progress) progress(progress_context, migration, down, -1);
        code = migrate_run(target, migration, down, error);
        if (code) migrate_name_error(target, migration, down, error);
    }
    if (code || *ret_done) {
        target->rollback(target->context);
        return code;
    }
    code = target->commit(target->context, error);
    if (code)
        migrate_name_error(target, migration, down, error);
    else if (progress)
        progress(progress_context, migration, down, os_clock_monotonic_us() - started_us);
    return code;
}

static enum error_code migrate_go(const struct migrate_target *target, const struct migration *migrations, size_t count,
                                  unsigned to, bool down, migrate_progress_function progress, void *progress_context,
                                  size_t *ret_count, struct error *error)
{
    struct migrate_history history = {0};
    size_t ran = 0;
    bool done = false;
    enum error_code code = ERROR_NONE;
    while (!code && !done) {
        code = migrate_step(target, migrations, count, to, down, &history, progress, progress_context, &done, error);
        if (!code && !done) ran++;
    }
    free(history.applied);
    if (ret_count) *ret_count = ran;
    return code;
}

enum error_code migrate_up(const struct migrate_target *target, const struct migration *migrations, size_t count,
                           unsigned to, migrate_progress_function progress, void *progress_context, size_t *ret_count,
                           struct error *error)
{
    if (ret_count) *ret_count = 0;
    enum error_code code = migrate_check_list(target, migrations, count, error);
    if (code) return code;
    if (to > count)
        return error_set(error, ERROR_INVALID, "%s: there is no migration %04u; the last one is %04zu", target->label,
                         to, count);
    code = target->prepare(target->context, error);
    if (code) return code;
    return migrate_go(target, migrations, count, to ? to : (unsigned)count, false, progress, progress_context,
                      ret_count, error);
}

enum error_code migrate_down(const struct migrate_target *target, const struct migration *migrations, size_t count,
                             unsigned steps, migrate_progress_function progress, void *progress_context,
                             size_t *ret_count, struct error *error)
{
    if (ret_count) *ret_count = 0;
    enum error_code code = migrate_check_list(target, migrations, count, error);
    if (!code) code = target->prepare(target->context, error);
    if (code) return code;
    /* Counted from where the target stands now: of two that run at once, both mean the same migrations. */
    struct migrate_history history = {0};
    code = migrate_history_read(target, &history, error);
    size_t applied = history.count;
    free(history.applied);
    if (code) return code;
    unsigned to = steps < applied ? (unsigned)applied - steps : 0;
    return migrate_go(target, migrations, count, to, true, progress, progress_context, ret_count, error);
}

enum error_code migrate_status(const struct migrate_target *target, const struct migration *migrations, size_t count,
                               void (*line)(void *context, const struct migrate_status_line *line), void *context,
                               struct error *error)
{
    enum error_code code = migrate_check_list(target, migrations, count, error);
    if (!code) code = target->prepare(target->context, error);
    if (code) return code;
    struct migrate_history history = {0};
    code = migrate_history_read(target, &history, error);
    for (size_t i = 0; !code && (i < history.count || i < count); i++) {
        const struct migrate_record *record =
            i < history.count && history.applied[i].number ? &history.applied[i] : NULL;
        if (!record && i >= count) continue;
        struct migrate_status_line status = {.number = (unsigned)i + 1,
                                             .name = i < count ? migrations[i].name : record->name};
        if (record) {
            status.applied_ms = record->applied_ms;
            status.state = i >= count                                  ? MIGRATE_UNKNOWN
                           : migrate_is_edited(record, &migrations[i]) ? MIGRATE_EDITED
                                                                       : MIGRATE_APPLIED;
        }
        line(context, &status);
    }
    free(history.applied);
    return code;
}
