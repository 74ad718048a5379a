/* SPDX-License-Identifier: Apache-2.0 */
/* Lists segments by reading them, and moves or removes what is in quarantine. */
#include "spool/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "os/file.h"

#define CONTENT_LIMIT (4ull << 30) /* as in directory.c: no segment is larger */
#define REASON_LIMIT 4096
#define DIGITS 20

static const char SUFFIX[] = ".segment";
static const char *const STATE_NAMES[SPOOL_FILE_STATE_COUNT] = {
    [SPOOL_FILE_OPEN] = "open", [SPOOL_FILE_SEALED] = "sealed", [SPOOL_FILE_REPLAY] = "replay",
    [SPOOL_FILE_QUARANTINED] = "quarantined",
};
static const struct {
    const char *folder;
    enum spool_file_state state;
} PLACES[] = {{"", SPOOL_FILE_SEALED}, {"replay/", SPOOL_FILE_REPLAY}, {"quarantine/", SPOOL_FILE_QUARANTINED}};
#define PLACE_COUNT (sizeof PLACES / sizeof *PLACES)

const char *spool_file_state_name(enum spool_file_state state)
{
    return STATE_NAMES[state];
}

static enum error_code file_path(const char *directory, const char *folder, uint64_t number, const char *suffix,
                                 char out[PATH_MAX], struct error *error)
{
    int size = snprintf(out, PATH_MAX, "%s/%s%020" PRIu64 "%s", directory, folder, number, suffix);
    return size < 0 || size >= PATH_MAX ? error_set(error, ERROR_INVALID, "path of the spool is too long") : ERROR_NONE;
}

static const char *text_or_empty(struct arena *arena, struct slice text)
{
    const char *copy = arena_copy_string(arena, text);
    return copy ? copy : "";
}

static void add_difference(struct buffer *out, const char *format, struct slice name)
{
    if (out->size > 0) buffer_append_string(out, ", ");
    buffer_printf(out, "%s %.*s", format, SLICE_ARGS(name));
}

/* What a load would do with the columns: "new column x, dropped column y, changed type of column z". */
static void write_differences(const struct spool_table *table, const struct block_schema *schema, struct buffer *out)
{
    struct buffer type_name = {0};
    for (size_t i = 0; i < schema->column_count; i++) {
        struct slice name = slice_from_string(schema->columns[i].name);
        size_t j = 0;
        while (j < table->column_count && !slice_equal(table->column_names[j], name)) j++;
        buffer_clear(&type_name);
        block_type_write_name(schema->columns[i].type, &type_name);
        if (j == table->column_count) {
            add_difference(out, "new column", name);
        } else if (!slice_equal(table->column_types[j], buffer_slice(&type_name))) {
            add_difference(out, "changed type of column", name);
        }
    }
    for (size_t j = 0; j < table->column_count; j++) {
        size_t i = 0;
        while (i < schema->column_count && !slice_equal(table->column_names[j], slice_from_string(schema->columns[i].name))) i++;
        if (i == schema->column_count) add_difference(out, "dropped column", table->column_names[j]);
    }
    buffer_free(&type_name);
}

static const char *find_differences(const struct spool_table *table, const struct block_schema *const *schemas,
                                    size_t schema_count, struct arena *arena)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (!slice_equal(table->name, slice_from_string(schemas[i]->table)) ||
            !slice_equal(table->database, slice_from_string(schemas[i]->database))) continue;
        if (table->fingerprint == block_schema_fingerprint(schemas[i])) return "";
        struct buffer text = {0};
        write_differences(table, schemas[i], &text);
        if (text.size == 0) buffer_append_string(&text, "order of columns");
        const char *copy = text_or_empty(arena, buffer_slice(&text));
        buffer_free(&text);
        return copy;
    }
    return "table unknown to this version";
}

/* Copies a table's texts, which point into bytes that go away. */
static bool keep_table(struct spool_table *table, struct arena *arena)
{
    table->database = arena_copy(arena, table->database);
    table->name = arena_copy(arena, table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        table->column_names[i] = arena_copy(arena, table->column_names[i]);
        table->column_types[i] = arena_copy(arena, table->column_types[i]);
    }
    return !arena_failed(arena);
}

static enum error_code read_tables(struct slice content, const struct block_schema *const *schemas, size_t schema_count,
                                   size_t table_count, struct arena *arena, struct spool_file *file, struct error *error)
{
    file->tables = arena_allocate(arena, (table_count + 1) * sizeof *file->tables);
    if (!file->tables) return error_set(error, ERROR_MEMORY, "out of memory looking at a segment");
    struct spool_segment_reader reader;
    struct spool_frame frame;
    spool_segment_reader_init(&reader, content, file->number);
    while (spool_segment_reader_next(&reader, &frame)) {
        if (frame.kind == SPOOL_FRAME_ROWS) file->tables[frame.table].rows += frame.rows;
        if (frame.kind != SPOOL_FRAME_TABLE) continue;
        struct spool_file_table *table = &file->tables[file->table_count++];
        enum error_code code = spool_table_read(frame.payload, arena, &table->table, error);
        if (!code && !keep_table(&table->table, arena)) code = error_set(error, ERROR_MEMORY, "out of memory looking at a segment");
        if (code) return code;
        table->differences = find_differences(&table->table, schemas, schema_count, arena);
    }
    return ERROR_NONE;
}

static enum error_code look_at(const char *directory, size_t place, uint64_t number,
                               const struct block_schema *const *schemas, size_t schema_count, struct arena *arena,
                               struct spool_file *ret_file, struct buffer *content, struct error *error)
{
    char path[PATH_MAX];
    enum error_code code = file_path(directory, PLACES[place].folder, number, SUFFIX, path, error);
    if (!code) code = os_file_read(path, CONTENT_LIMIT, content, error);
    if (code) return code;
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(content), number, &scan);
    *ret_file = (struct spool_file){
        .number = number, .state = PLACES[place].state, .created_ms = scan.header.created_ms, .bytes = content->size,
        .rows = scan.rows, .groups = scan.groups, .damage = text_or_empty(arena, slice_from_string(scan.reason)), .reason = "",
    };
    if (ret_file->state == SPOOL_FILE_SEALED && !scan.sealed && scan.result != SPOOL_SCAN_CORRUPT) {
        ret_file->state = SPOOL_FILE_OPEN;
        ret_file->damage = ""; /* a group under way looks torn */
    }
    buffer_truncate(content, scan.good_size);
    if (scan.good_size > 0) {
        code = read_tables(buffer_slice(content), schemas, schema_count, scan.table_count, arena, ret_file, error);
    }
    if (code || ret_file->state != SPOOL_FILE_QUARANTINED) return code;
    struct buffer reason = {0};
    if (!file_path(directory, PLACES[place].folder, number, ".reason", path, NULL) &&
        !os_file_read(path, REASON_LIMIT, &reason, NULL)) {
        struct slice rest = buffer_slice(&reason);
        ret_file->reason = text_or_empty(arena, slice_cut(&rest, '\n'));
    }
    buffer_free(&reason);
    return ERROR_NONE;
}

struct found {
    size_t place;
    uint64_t number;
};

static enum error_code find_all(const char *directory, struct arena *arena, struct found **ret_found, size_t *ret_count,
                                struct error *error)
{
    struct found *found = NULL;
    size_t total = 0;
    for (size_t place = 0; place < PLACE_COUNT; place++) {
        char path[PATH_MAX], **names;
        size_t count;
        if (snprintf(path, sizeof path, "%s/%s", directory, PLACES[place].folder) >= (int)sizeof path) {
            return error_set(error, ERROR_INVALID, "path of the spool is too long");
        }
        enum error_code code = os_directory_list(path, arena, &names, &count, error);
        if (code == ERROR_NOT_FOUND && place > 0) continue;
        if (code) return code;
        struct found *grown = arena_allocate(arena, (total + count + 1) * sizeof *grown);
        if (!grown) return error_set(error, ERROR_MEMORY, "out of memory listing segments");
        if (total) memcpy(grown, found, total * sizeof *grown);
        found = grown;
        for (size_t i = 0; i < count; i++) {
            struct slice name = slice_from_string(names[i]);
            uint64_t number;
            if (name.size != DIGITS + sizeof SUFFIX - 1 || !slice_ends_with(name, SLICE(".segment"))) continue;
            if (slice_parse_uint64(slice_first(name, DIGITS), &number)) found[total++] = (struct found){place, number};
        }
    }
    *ret_found = found;
    *ret_count = total;
    return ERROR_NONE;
}

enum error_code spool_inspect_list(const char *directory, const struct block_schema *const *schemas, size_t schema_count,
                                   struct arena *arena, struct spool_file **ret_files, size_t *ret_count,
                                   struct error *error)
{
    struct found *found;
    size_t count, kept = 0;
    enum error_code code = find_all(directory, arena, &found, &count, error);
    if (code) return code;
    struct spool_file *files = arena_allocate(arena, (count + 1) * sizeof *files);
    if (!files) return error_set(error, ERROR_MEMORY, "out of memory listing segments");
    struct buffer content = {0};
    for (size_t i = 0; i < count && !code; i++) {
        buffer_clear(&content);
        code = look_at(directory, found[i].place, found[i].number, schemas, schema_count, arena, &files[kept], &content, error);
        bool is_newest = i + 1 == count || found[i + 1].place != found[i].place;
        if (!code && files[kept].state == SPOOL_FILE_OPEN && !is_newest) files[kept].state = SPOOL_FILE_SEALED;
        if (!code) kept++;
        if (code == ERROR_NOT_FOUND) code = ERROR_NONE; /* stored in the meantime */
    }
    buffer_free(&content);
    *ret_files = files;
    *ret_count = kept;
    return code;
}

enum error_code spool_inspect_one(const char *directory, uint64_t number, const struct block_schema *const *schemas,
                                  size_t schema_count, struct arena *arena, struct spool_file *ret_file,
                                  struct buffer *content, struct error *error)
{
    for (size_t place = 0; place < PLACE_COUNT; place++) {
        enum error_code code = look_at(directory, place, number, schemas, schema_count, arena, ret_file, content, error);
        if (code != ERROR_NOT_FOUND) return code;
    }
    return error_set(error, ERROR_NOT_FOUND, "there is no segment %" PRIu64 " in %s", number, directory);
}

/* Paths of a segment in quarantine. */
static enum error_code find_quarantined(const char *directory, uint64_t number, char path[PATH_MAX], struct error *error)
{
    enum error_code code = file_path(directory, "quarantine/", number, SUFFIX, path, error);
    if (!code && !os_file_exists(path)) {
        return error_set(error, ERROR_NOT_FOUND, "segment %" PRIu64 " is not in quarantine in %s", number, directory);
    }
    return code;
}

static enum error_code sync_sub_folder(const char *directory, const char *folder, struct error *error)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, folder) >= (int)sizeof path) {
        return error_set(error, ERROR_INVALID, "path of the spool is too long");
    }
    return os_file_system_real.sync_directory(NULL, path, error);
}

enum error_code spool_quarantine_replay(const char *directory, uint64_t number, struct error *error)
{
    char from[PATH_MAX], to[PATH_MAX], folder[PATH_MAX];
    enum error_code code = find_quarantined(directory, number, from, error);
    if (!code) code = file_path(directory, "replay/", number, SUFFIX, to, error);
    if (code) return code;
    if (snprintf(folder, sizeof folder, "%s/replay", directory) >= (int)sizeof folder) {
        return error_set(error, ERROR_INVALID, "path of the spool is too long");
    }
    code = os_directory_create(folder, error);
    if (!code) code = os_file_system_real.rename(NULL, from, to, error);
    if (code) return code;
    /* A server may have taken it out of there already: then these have nothing to add. */
    code = sync_sub_folder(directory, "replay", error);
    return code ? code : sync_sub_folder(directory, "quarantine", error);
}

enum error_code spool_quarantine_drop(const char *directory, uint64_t number, struct error *error)
{
    char path[PATH_MAX], reason[PATH_MAX];
    enum error_code code = find_quarantined(directory, number, path, error);
    if (!code) code = file_path(directory, "quarantine/", number, ".reason", reason, error);
    if (!code) code = os_file_system_real.unlink(NULL, path, error);
    if (code) return code;
    if (os_file_exists(reason)) (void)os_file_system_real.unlink(NULL, reason, NULL);
    return sync_sub_folder(directory, "quarantine", error);
}
