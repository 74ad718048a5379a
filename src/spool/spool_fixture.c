/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, rows, batches, folders and a failing disk for the spool's tests. */
#include "spool/spool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"

static const struct block_type UINT64_TYPE = {.kind = BLOCK_UINT64};
static const struct block_type INT32_TYPE = {.kind = BLOCK_INT32};
static const struct block_type STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_type FLOAT64_TYPE = {.kind = BLOCK_FLOAT64};
static const struct block_type LOW_TYPE = {.kind = BLOCK_LOW_CARDINALITY, .inner = &STRING_TYPE};
static const struct block_type NULLABLE_TYPE = {.kind = BLOCK_NULLABLE, .inner = &FLOAT64_TYPE};
static const struct block_type MAP_TYPE = {.kind = BLOCK_MAP, .key = &LOW_TYPE, .inner = &STRING_TYPE};
static const struct block_type TIME_TYPE = {.kind = BLOCK_DATETIME64, .parameter = 3};

static const struct block_schema_column EVENTS_COLUMNS[] = {
    {"id", &UINT64_TYPE}, {"name", &LOW_TYPE}, {"time", &TIME_TYPE}, {"path", &STRING_TYPE},
    {"value", &NULLABLE_TYPE}, {"properties", &MAP_TYPE},
};
static const struct block_schema EVENTS = {"analytics", "events", EVENTS_COLUMNS, 6};
static const struct block_schema_column METRICS_COLUMNS[] = {{"series", &UINT64_TYPE}, {"value", &FLOAT64_TYPE}};
static const struct block_schema METRICS = {"observability", "metrics", METRICS_COLUMNS, 2};
const struct block_schema *const fixture_schemas[FIXTURE_SCHEMA_COUNT] = {&EVENTS, &METRICS};

static const struct block_schema_column CHANGED_COLUMNS[] = {
    {"id", &UINT64_TYPE}, {"added", &NULLABLE_TYPE}, {"properties", &MAP_TYPE},
    {"value", &NULLABLE_TYPE}, {"name", &LOW_TYPE}, {"path", &STRING_TYPE},
};
const struct block_schema fixture_events_changed = {"analytics", "events", CHANGED_COLUMNS, 6};
static const struct block_schema_column RETYPED_COLUMNS[] = {{"id", &INT32_TYPE}};
const struct block_schema fixture_events_retyped = {"analytics", "events", RETYPED_COLUMNS, 1};

/* One condition for all waits: tests have a handful of threads. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;

static void add_and_tell(atomic_int *value, int delta)
{
    pthread_mutex_lock(&change_lock);
    atomic_fetch_add(value, delta);
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&change_lock);
}

static bool wait_until_set(atomic_int *value)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    int result = 0;
    pthread_mutex_lock(&change_lock);
    while (atomic_load(value) == 0 && result == 0) result = pthread_cond_timedwait(&change, &change_lock, &deadline);
    pthread_mutex_unlock(&change_lock);
    return result == 0;
}

static void append_text(struct block *block, size_t column, const char *prefix, uint64_t number)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%s%llu", prefix, (unsigned long long)number);
    block_append_string(block, column, slice_make(text, (size_t)size));
}

static void append_event(struct block *block, uint64_t row)
{
    block_append_uint(block, 0, row);
    append_text(block, 1, "event_", row / 2 % 5); /* neighbours are alike */
    block_append_int(block, 2, 1790000000000 + (int64_t)row);
    append_text(block, 3, "/page/", row);
    if (row % 3 == 0) {
        block_append_null(block, 4);
    } else {
        block_append_double(block, 4, (double)row / 2);
    }
    block_map_begin(block, 5);
    for (uint64_t i = 0; i < row % 3; i++) {
        block_map_key(block, 5, i ? SLICE("plan") : SLICE("browser"));
        append_text(block, 5, "v", row + i);
    }
    block_map_end(block, 5);
    block_row_commit(block);
}

struct block *fixture_block(size_t schema_index, uint64_t first, size_t count)
{
    struct block *block = block_create(fixture_schemas[schema_index]);
    assert_non_null(block);
    for (uint64_t row = first; row < first + count; row++) {
        if (schema_index == FIXTURE_EVENTS) {
            append_event(block, row);
        } else {
            block_append_uint(block, 0, row);
            block_append_double(block, 1, (double)row * 3);
            block_row_commit(block);
        }
    }
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    return block;
}

bool fixture_block_is(const struct block *block, size_t schema_index, uint64_t first, size_t count)
{
    if (!block || block->rows != count || block->schema != fixture_schemas[schema_index]) return false;
    struct block *wanted = fixture_block(schema_index, first, count);
    struct buffer a = {0}, b = {0};
    block_write_native(block, NULL, 0, &a);
    block_write_native(wanted, NULL, 0, &b);
    bool equal = slice_equal(buffer_slice(&a), buffer_slice(&b));
    buffer_free(&a);
    buffer_free(&b);
    block_destroy(wanted);
    return equal;
}

static void batch_done(struct spool_batch *spool_batch, enum error_code code)
{
    struct fixture_batch *batch = (struct fixture_batch *)spool_batch;
    batch->code = code;
    if (code) snprintf(batch->message, sizeof batch->message, "%s", spool_batch->error->message);
    add_and_tell(&batch->state, 1);
}

struct fixture_batch *fixture_batch_create(unsigned schema_mask, uint64_t first, size_t count)
{
    struct fixture_batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) {
        if (schema_mask & 1u << i) batch->blocks[i] = fixture_block(i, first, count);
    }
    batch->batch.blocks = batch->blocks;
    batch->batch.done = batch_done;
    return batch;
}

void fixture_batch_destroy(struct fixture_batch *batch)
{
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) block_destroy(batch->blocks[i]);
    free(batch);
}

enum error_code fixture_batch_wait(struct fixture_batch *batch)
{
    if (!wait_until_set(&batch->state)) return ERROR_TIMEOUT;
    return batch->code;
}

enum error_code fixture_commit(struct spool *spool, unsigned schema_mask, uint64_t first, size_t count)
{
    struct fixture_batch *batch = fixture_batch_create(schema_mask, first, count);
    enum error_code code = spool_submit(spool, &batch->batch) ? fixture_batch_wait(batch) : ERROR_UNAVAILABLE;
    fixture_batch_destroy(batch);
    return code;
}

char *fixture_directory_create(void)
{
    char *path = strdup("/tmp/millrace-spool-XXXXXX");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char child[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (unlink(child) != 0) remove_tree(child);
    }
    closedir(directory);
    rmdir(path);
}

void fixture_directory_destroy(char *path)
{
    remove_tree(path);
    free(path);
}

static size_t find_files(const char *path, const char *suffix, char *last, size_t last_size)
{
    struct arena *arena = arena_create(0);
    char **names;
    size_t count, found = 0;
    assert_int_equal(os_directory_list(path, arena, &names, &count, NULL), ERROR_NONE);
    for (size_t i = 0; i < count; i++) {
        if (!slice_ends_with(slice_from_string(names[i]), slice_from_string(suffix))) continue;
        found++;
        if (last) snprintf(last, last_size, "%s/%s", path, names[i]);
    }
    arena_destroy(arena);
    return found;
}

size_t fixture_count_files(const char *directory, const char *suffix)
{
    return find_files(directory, suffix, NULL, 0);
}

void fixture_only_file(const char *directory, const char *suffix, char out[512])
{
    assert_int_equal(find_files(directory, suffix, out, 512), 1);
}

struct buffer fixture_read_file(const char *path)
{
    struct buffer content = {0};
    assert_int_equal(os_file_read(path, 1 << 26, &content, NULL), ERROR_NONE);
    return content;
}

void fixture_write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

struct spool_settings fixture_settings(const char *directory, const struct os_file_system *files)
{
    return (struct spool_settings){
        .directory = directory,
        .files = files,
        .schemas = fixture_schemas,
        .schema_count = FIXTURE_SCHEMA_COUNT,
        .queue_capacity = 64,
    };
}

/* Segment files are told by what their descriptor points at. */
static bool is_segment(int fd)
{
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return size > 0 && slice_ends_with(slice_make(path, (size_t)size), SLICE(".segment"));
}

static enum error_code disk_open_append(void *context, const char *path, int *ret_fd, struct error *error)
{
    return os_file_system_real.open_append(NULL, path, ret_fd, error);
}

static enum error_code disk_open_read(void *context, const char *path, int *ret_fd, struct error *error)
{
    return os_file_system_real.open_read(NULL, path, ret_fd, error);
}

static enum error_code disk_append(void *context, int fd, const struct iovec *parts, int part_count, struct error *error)
{
    struct fixture_disk *disk = context;
    if (!is_segment(fd)) return os_file_system_real.append(NULL, fd, parts, part_count, error);
    atomic_fetch_add(&disk->appends, 1);
    if (!atomic_load(&disk->is_full)) return os_file_system_real.append(NULL, fd, parts, part_count, error);
    struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
    os_file_system_real.append(NULL, fd, &half, 1, NULL);
    return error_set_errno(error, ENOSPC, "cannot append");
}

static enum error_code disk_sync(void *context, int fd, struct error *error)
{
    struct fixture_disk *disk = context;
    if (!is_segment(fd)) return disk->syncs_for_real ? os_file_system_real.sync(NULL, fd, error) : ERROR_NONE;
    atomic_fetch_add(&disk->syncs, 1);
    add_and_tell(&disk->waiting_at_gate, 1);
    pthread_mutex_lock(&disk->gate);
    pthread_mutex_unlock(&disk->gate);
    add_and_tell(&disk->waiting_at_gate, -1);
    if (atomic_load(&disk->fail_syncs) > 0) {
        atomic_fetch_sub(&disk->fail_syncs, 1);
        return error_set_errno(error, EIO, "cannot sync");
    }
    return disk->syncs_for_real ? os_file_system_real.sync(NULL, fd, error) : ERROR_NONE;
}

static enum error_code disk_truncate(void *context, int fd, off_t size, struct error *error)
{
    struct fixture_disk *disk = context;
    if (is_segment(fd) && atomic_load(&disk->fail_truncates)) return error_set_errno(error, EIO, "cannot truncate");
    return os_file_system_real.truncate(NULL, fd, size, error);
}

static void disk_close(void *context, int fd)
{
    os_file_system_real.close(NULL, fd);
}

static enum error_code disk_rename(void *context, const char *from, const char *to, struct error *error)
{
    return os_file_system_real.rename(NULL, from, to, error);
}

static enum error_code disk_unlink(void *context, const char *path, struct error *error)
{
    return os_file_system_real.unlink(NULL, path, error);
}

static enum error_code disk_sync_directory(void *context, const char *path, struct error *error)
{
    struct fixture_disk *disk = context;
    return disk->syncs_for_real ? os_file_system_real.sync_directory(NULL, path, error) : ERROR_NONE;
}

void fixture_disk_init(struct fixture_disk *disk)
{
    memset(disk, 0, sizeof *disk);
    pthread_mutex_init(&disk->gate, NULL);
    disk->files = (struct os_file_system){
        disk, disk_open_append, disk_open_read, disk_append, disk_sync, disk_truncate, disk_close, disk_rename,
        disk_unlink, disk_sync_directory,
    };
}

bool fixture_disk_wait_at_gate(struct fixture_disk *disk)
{
    return wait_until_set(&disk->waiting_at_gate);
}
