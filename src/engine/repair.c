/* SPDX-License-Identifier: Apache-2.0 */
/* Walks store/<3 hex>/<uuid>/deduplication_logs and rewrites the logs that name missing parts. */
#include "engine/repair.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"
#include "os/file.h"

/* A window of 10,000 entries of 100 bytes, and the engine starts a new file long before. */
#define LOG_LIMIT_BYTES (256u << 20)

struct part {
    struct slice partition;
    uint64_t minimum;
    uint64_t maximum;
};

bool engine_repair_parse_part(struct slice name, struct slice *partition, uint64_t *minimum, uint64_t *maximum)
{
    struct slice rest = name;
    uint64_t level, mutation;
    *partition = slice_cut(&rest, '_');
    if (partition->size == 0 || !slice_parse_uint64(slice_cut(&rest, '_'), minimum) ||
        !slice_parse_uint64(slice_cut(&rest, '_'), maximum) || !slice_parse_uint64(slice_cut(&rest, '_'), &level))
        return false;
    return rest.size == 0 || slice_parse_uint64(rest, &mutation);
}

static bool is_covered(struct slice name, const struct part *parts, size_t count)
{
    struct slice partition;
    uint64_t minimum, maximum;
    if (!engine_repair_parse_part(name, &partition, &minimum, &maximum)) return false;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(parts[i].partition, partition) && parts[i].minimum <= minimum && minimum <= parts[i].maximum)
            return true;
    return false;
}

/* 1 is an insert, 2 takes an earlier entry back. */
static bool keeps_line(struct slice line, const struct part *parts, size_t count)
{
    struct slice operation = slice_cut(&line, '\t');
    struct slice part = slice_cut(&line, '\t');
    if (part.size == 0 || line.size == 0) return false;
    if (slice_equal(operation, SLICE("2"))) return true;
    return slice_equal(operation, SLICE("1")) && is_covered(part, parts, count);
}

static enum error_code repair_log(const char *path, const struct part *parts, size_t count, size_t *removed,
                                  struct error *error)
{
    struct buffer text = {0}, kept = {0};
    enum error_code code = os_file_read(path, LOG_LIMIT_BYTES, &text, error);
    size_t dropped = 0;
    struct slice rest = buffer_slice(&text);
    while (!code && rest.size > 0) {
        bool whole = slice_index_of(rest, '\n') >= 0;
        struct slice line = slice_cut(&rest, '\n');
        if (whole && keeps_line(line, parts, count)) {
            buffer_append_slice(&kept, line);
            buffer_append_byte(&kept, '\n');
        } else {
            dropped++;
            log_debug("repair: %s: dropped \"%.*s\"", path, SLICE_ARGS(slice_first(line, 100)));
        }
    }
    if (!code && kept.failed) code = error_set(error, ERROR_MEMORY, "no memory to repair %s", path);
    if (!code && dropped > 0) code = os_file_replace(path, buffer_slice(&kept), error);
    if (!code) *removed += dropped;
    buffer_free(&text);
    buffer_free(&kept);
    return code;
}

static enum error_code repair_table(const char *table, struct arena *arena, size_t *removed, struct error *error)
{
    const char *directory = arena_printf(arena, "%s/deduplication_logs", table).data;
    if (!os_file_exists(directory)) return 0;
    char **names;
    size_t name_count;
    enum error_code code = os_directory_list(table, arena, &names, &name_count, error);
    if (code) return code;
    struct part *parts = arena_allocate(arena, (name_count + 1) * sizeof *parts);
    if (!parts) return error_set(error, ERROR_MEMORY, "no memory to repair %s", table);
    size_t count = 0;
    for (size_t i = 0; i < name_count; i++) {
        struct part *part = &parts[count];
        if (engine_repair_parse_part(slice_from_string(names[i]), &part->partition, &part->minimum, &part->maximum))
            count++;
    }
    code = os_directory_list(directory, arena, &names, &name_count, error);
    for (size_t i = 0; !code && i < name_count; i++) {
        if (!slice_ends_with(slice_from_string(names[i]), SLICE(".txt"))) continue;
        const char *path = arena_printf(arena, "%s/%s", directory, names[i]).data;
        code = repair_log(path, parts, count, removed, error);
    }
    return code;
}

enum error_code engine_repair_deduplication_logs(const char *directory, size_t *ret_removed, struct error *error)
{
    *ret_removed = 0;
    struct arena *outer = arena_create(0), *inner = arena_create(0);
    enum error_code code = 0;
    if (!outer || !inner) {
        code = error_set(error, ERROR_MEMORY, "no memory to repair %s", directory);
    } else {
        const char *store = arena_printf(outer, "%s/store", directory).data;
        char **groups = NULL, **tables = NULL;
        size_t group_count = 0, table_count = 0;
        if (os_file_exists(store)) code = os_directory_list(store, outer, &groups, &group_count, error);
        for (size_t i = 0; !code && i < group_count; i++) {
            if (strlen(groups[i]) != 3) continue; /* not made by the engine */
            const char *group = arena_printf(outer, "%s/%s", store, groups[i]).data;
            code = os_directory_list(group, outer, &tables, &table_count, error);
            for (size_t j = 0; !code && j < table_count; j++) {
                arena_reset(inner);
                const char *table = arena_printf(inner, "%s/%s", group, tables[j]).data;
                code = repair_table(table, inner, ret_removed, error);
            }
        }
    }
    arena_destroy(outer);
    arena_destroy(inner);
    return code;
}
