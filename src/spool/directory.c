/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the spool's folder: lock, numbers, segment files, quarantine, and the look around after a restart. */
#include "spool/directory.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uuid.h"

/* Larger files cannot have been written by us (a segment is sealed at tens of megabytes) and would not fit in memory. */
#define SEGMENT_FILE_LIMIT (4ull << 30)
/* First nodes are drawn from 1 .. NODE_FIRST_LIMIT: room above for a node made when only `number` was lost. */
#define NODE_FIRST_LIMIT 0x7fffull
#define NODE_LIMIT 0xffffull
#define DIGITS 20
/* A line of an error message, and a line with the rows. */
#define SPOOL_REASON_LIMIT 4096

static const char SUFFIX[] = ".segment";

static enum error_code make_path(const struct spool_directory *directory, const char *folder, uint64_t number,
                                 const char *suffix, char out[SPOOL_PATH_LIMIT], struct error *error)
{
    int size = snprintf(out, SPOOL_PATH_LIMIT, "%s/%s%020" PRIu64 "%s", directory->path, folder, number, suffix);
    if (size < 0 || size >= SPOOL_PATH_LIMIT) return error_set(error, ERROR_INVALID, "path of the spool is too long");
    return ERROR_NONE;
}

static enum error_code segment_path(const struct spool_directory *directory, uint64_t number, char out[SPOOL_PATH_LIMIT],
                                    struct error *error)
{
    return make_path(directory, "", number, SUFFIX, out, error);
}

static enum error_code folder_file_path(const struct spool_directory *directory, const char *name,
                                        char out[SPOOL_PATH_LIMIT], struct error *error)
{
    int size = snprintf(out, SPOOL_PATH_LIMIT, "%s/%s", directory->path, name);
    if (size < 0 || size >= SPOOL_PATH_LIMIT) return error_set(error, ERROR_INVALID, "path of the spool is too long");
    return ERROR_NONE;
}

static enum error_code sync_folder(struct spool_directory *directory, struct error *error)
{
    return directory->files->sync_directory(directory->files->context, directory->path, error);
}

/* Writes a small file whole and syncs it; its name is made durable by the caller. */
static enum error_code write_file(struct spool_directory *directory, const char *path, struct slice content,
                                  struct error *error)
{
    const struct os_file_system *files = directory->files;
    int fd;
    enum error_code code = files->open_append(files->context, path, &fd, error);
    if (code) return code;
    struct iovec part = {(void *)(uintptr_t)content.data, content.size};
    code = files->truncate(files->context, fd, 0, error);
    if (!code) code = files->append(files->context, fd, &part, 1, error);
    if (!code) code = files->sync(files->context, fd, error);
    files->close(files->context, fd);
    return code;
}

static enum error_code write_number_file(struct spool_directory *directory, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char path[SPOOL_PATH_LIMIT], beside[SPOOL_PATH_LIMIT];
    enum error_code code = folder_file_path(directory, "number", path, error);
    if (!code) code = folder_file_path(directory, "number.new", beside, error);
    if (code) return code;
    struct buffer text = {0};
    buffer_printf(&text, "millrace-spool-number 1\n%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n", directory->node,
                  directory->reserved_counter, directory->directory_id);
    if (text.failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    if (!code) code = write_file(directory, beside, buffer_slice(&text), error);
    if (!code) code = files->rename(files->context, beside, path, error);
    if (!code) code = sync_folder(directory, error);
    buffer_free(&text);
    return code;
}

static bool parse_number_file(struct spool_directory *directory, struct slice text)
{
    uint64_t node, counter, id;
    if (!slice_equal(slice_cut(&text, '\n'), SLICE("millrace-spool-number 1"))) return false;
    if (!slice_parse_uint64(slice_cut(&text, '\n'), &node) || node == 0 || node > NODE_LIMIT) return false;
    if (!slice_parse_uint64(slice_cut(&text, '\n'), &counter) || counter == 0) return false;
    if (counter >= (1ull << SPOOL_NODE_SHIFT) - SPOOL_NUMBER_STEP) return false;
    if (!slice_parse_uint64(slice_cut(&text, '\n'), &id) || text.size != 0) return false;
    directory->node = node;
    directory->next_counter = directory->reserved_counter = counter;
    directory->directory_id = id;
    return true;
}

static bool parse_segment_name(const char *name, uint64_t *ret_number)
{
    struct slice text = slice_from_string(name);
    if (text.size != DIGITS + sizeof SUFFIX - 1 || !slice_ends_with(text, slice_from_string(SUFFIX))) return false;
    return slice_parse_uint64(slice_first(text, DIGITS), ret_number) && *ret_number != 0;
}

static enum error_code highest_number(const char *path, uint64_t *highest, struct error *error)
{
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory");
    char **names;
    size_t count;
    enum error_code code = os_directory_list(path, arena, &names, &count, error);
    for (size_t i = 0; !code && i < count; i++) {
        uint64_t number;
        if (parse_segment_name(names[i], &number) && number > *highest) *highest = number;
    }
    arena_destroy(arena);
    return code;
}

static enum error_code highest_number_here(struct spool_directory *directory, uint64_t *highest, struct error *error)
{
    char folder[SPOOL_PATH_LIMIT];
    enum error_code code = highest_number(directory->path, highest, error);
    /* In this order: a person may be moving one from quarantine/ to replay/. */
    static const char *const folders[] = {"quarantine", "replay"};
    for (size_t i = 0; i < 2 && !code; i++) {
        code = folder_file_path(directory, folders[i], folder, error);
        if (!code) code = highest_number(folder, highest, error);
    }
    return code;
}

/* The first start, or `number` was lost: a node above every node whose segments are still here keeps numbers rising. */
static enum error_code make_number_file(struct spool_directory *directory, uint64_t highest, struct error *error)
{
    uint64_t random[2];
    uint64_t above = highest >> SPOOL_NODE_SHIFT;
    uint64_t limit = above < NODE_FIRST_LIMIT ? NODE_FIRST_LIMIT : NODE_LIMIT;
    if (above >= limit) {
        return error_set(error, ERROR_INVALID, "%s: the file `number` is gone and no number is left above segment %" PRIu64
                         "; move the segments elsewhere and replay them", directory->path, highest);
    }
    uuid_random_bytes(random, sizeof random);
    directory->node = above + 1 + random[0] % (limit - above);
    directory->directory_id = random[1];
    directory->next_counter = directory->reserved_counter = 1;
    return write_number_file(directory, error);
}

static enum error_code load_number_file(struct spool_directory *directory, struct error *error)
{
    char path[SPOOL_PATH_LIMIT];
    uint64_t highest = 0;
    enum error_code code = folder_file_path(directory, "number", path, error);
    if (!code) code = highest_number_here(directory, &highest, error);
    if (code) return code;
    if (!os_file_exists(path)) return make_number_file(directory, highest, error);
    struct buffer text = {0};
    code = os_file_read(path, 4096, &text, error);
    if (!code && !parse_number_file(directory, buffer_slice(&text))) {
        code = error_set(error, ERROR_CORRUPT, "%s is damaged; remove it to begin a new row of segment numbers", path);
    }
    buffer_free(&text);
    if (code) return code;
    /* An older copy of `number` was put back beside newer segments: its numbers were used already. */
    bool is_stale = highest >= (directory->node << SPOOL_NODE_SHIFT | directory->next_counter);
    return is_stale ? make_number_file(directory, highest, error) : ERROR_NONE;
}

static enum error_code lock_folder(struct spool_directory *directory, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char path[SPOOL_PATH_LIMIT];
    enum error_code code = folder_file_path(directory, "lock", path, error);
    if (!code) code = files->open_append(files->context, path, &directory->lock_fd, error);
    if (code) return code;
    if (flock(directory->lock_fd, LOCK_EX | LOCK_NB) == 0) return ERROR_NONE;
    int saved = errno;
    if (saved != EWOULDBLOCK) return error_set_errno(error, saved, "cannot lock %s", path);
    return error_set(error, ERROR_CONFLICT, "another process uses the spool in %s: stop it, or give this one its own data "
                     "folder", directory->path);
}

enum error_code spool_directory_open(struct spool_directory *directory, const char *path,
                                     const struct os_file_system *files, struct error *error)
{
    *directory = (struct spool_directory){.files = files, .lock_fd = -1};
    size_t size = strlen(path);
    if (size == 0 || size >= SPOOL_PATH_LIMIT - 64) return error_set(error, ERROR_INVALID, "path of the spool is too long");
    memcpy(directory->path, path, size + 1);
    char folder[SPOOL_PATH_LIMIT];
    enum error_code code = folder_file_path(directory, "quarantine", folder, error);
    if (!code) code = os_directory_create(folder, error);
    if (!code) code = folder_file_path(directory, "replay", folder, error);
    if (!code) code = os_directory_create(folder, error);
    if (!code) code = lock_folder(directory, error);
    if (!code) code = load_number_file(directory, error);
    if (!code) code = sync_folder(directory, error);
    if (code) spool_directory_close(directory);
    return code;
}

void spool_directory_close(struct spool_directory *directory)
{
    if (directory->files && directory->lock_fd >= 0) {
        directory->files->close(directory->files->context, directory->lock_fd);
    }
    directory->lock_fd = -1;
}

static enum error_code next_number(struct spool_directory *directory, uint64_t *ret_number, struct error *error)
{
    if (directory->next_counter >= directory->reserved_counter) {
        uint64_t before = directory->reserved_counter;
        directory->reserved_counter = directory->next_counter + SPOOL_NUMBER_STEP;
        enum error_code code = write_number_file(directory, error);
        if (code) {
            directory->reserved_counter = before;
            return code;
        }
    }
    *ret_number = directory->node << SPOOL_NODE_SHIFT | directory->next_counter++;
    return ERROR_NONE;
}

enum error_code spool_directory_create_segment(struct spool_directory *directory, int64_t now_ms, uint64_t *ret_number,
                                               int *ret_fd, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char path[SPOOL_PATH_LIMIT];
    uint64_t number;
    int fd;
    enum error_code code = next_number(directory, &number, error);
    if (!code) code = segment_path(directory, number, path, error);
    if (!code) code = files->open_append(files->context, path, &fd, error);
    if (code) return code;
    struct buffer bytes = {0};
    struct spool_segment_header header = {number, now_ms, directory->directory_id};
    spool_segment_write_header(&header, &bytes);
    struct iovec part = {bytes.data, bytes.size};
    if (bytes.failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    if (!code) code = files->append(files->context, fd, &part, 1, error);
    if (!code) code = sync_folder(directory, error);
    buffer_free(&bytes);
    if (code) {
        files->close(files->context, fd);
        files->unlink(files->context, path, NULL);
        return code;
    }
    *ret_number = number;
    *ret_fd = fd;
    return ERROR_NONE;
}

static enum error_code read_descriptor(int fd, const char *path, uint64_t size, struct buffer *out, struct error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0) return error_set_errno(error, errno, "cannot look at %s", path);
    uint64_t wanted = size == UINT64_MAX ? (uint64_t)status.st_size : size;
    if (wanted > SEGMENT_FILE_LIMIT) return error_set(error, ERROR_TOO_LARGE, "%s is larger than any segment", path);
    char *target = buffer_reserve(out, wanted);
    if (!target) return error_set(error, ERROR_MEMORY, "out of memory reading %s", path);
    uint64_t done = 0;
    while (done < wanted) {
        ssize_t count = pread(fd, target + done, wanted - done, (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set_errno(error, errno, "cannot read %s", path);
        if (count == 0) return error_set(error, ERROR_CORRUPT, "%s became shorter than what was written", path);
        done += (uint64_t)count;
    }
    out->size += wanted;
    return ERROR_NONE;
}

enum error_code spool_directory_read_segment(struct spool_directory *directory, uint64_t number, uint64_t size,
                                             struct buffer *out, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char path[SPOOL_PATH_LIMIT];
    int fd;
    enum error_code code = segment_path(directory, number, path, error);
    if (!code) code = files->open_read(files->context, path, &fd, error);
    if (code) return code;
    code = read_descriptor(fd, path, size, out, error);
    files->close(files->context, fd);
    return code;
}

enum error_code spool_directory_remove_segment(struct spool_directory *directory, uint64_t number, struct error *error)
{
    char path[SPOOL_PATH_LIMIT];
    enum error_code code = segment_path(directory, number, path, error);
    if (!code) code = directory->files->unlink(directory->files->context, path, error);
    if (code) return code;
    /* Not an error: should the name come back after a power cut, the segment is found again and the loader asks the store
     * about it, as about every segment of an earlier process. */
    (void)sync_folder(directory, NULL);
    return ERROR_NONE;
}

enum error_code spool_directory_quarantine(struct spool_directory *directory, uint64_t number, const char *reason,
                                           uint64_t rows, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char from[SPOOL_PATH_LIMIT], to[SPOOL_PATH_LIMIT], reason_path[SPOOL_PATH_LIMIT], folder[SPOOL_PATH_LIMIT];
    enum error_code code = segment_path(directory, number, from, error);
    if (!code) code = make_path(directory, "quarantine/", number, SUFFIX, to, error);
    if (!code) code = make_path(directory, "quarantine/", number, ".reason", reason_path, error);
    if (!code) code = folder_file_path(directory, "quarantine", folder, error);
    if (code) return code;
    struct buffer text = {0};
    buffer_printf(&text, "%s\nrows %" PRIu64 "\n", reason, rows);
    if (text.failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    if (!code) code = write_file(directory, reason_path, buffer_slice(&text), error);
    if (!code) code = files->rename(files->context, from, to, error);
    buffer_free(&text);
    if (code) return code;
    /* Not errors: it stands there now, and no repetition could move it again. Should a power cut bring it back, the loader
     * meets it once more. */
    (void)files->sync_directory(files->context, folder, NULL);
    (void)sync_folder(directory, NULL);
    return ERROR_NONE;
}

static enum error_code cut_segment(struct spool_directory *directory, uint64_t number, uint64_t size, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char path[SPOOL_PATH_LIMIT];
    int fd;
    enum error_code code = segment_path(directory, number, path, error);
    if (!code) code = files->open_append(files->context, path, &fd, error);
    if (code) return code;
    code = files->truncate(files->context, fd, (off_t)size, error);
    if (!code) code = files->sync(files->context, fd, error);
    files->close(files->context, fd);
    return code;
}

/* What becomes of one segment found at start. *ret_keep tells whether it waits for the store. */
static enum error_code recover_segment(struct spool_directory *directory, uint64_t number,
                                       const struct block_schema *const *schemas, size_t schema_count,
                                       struct buffer *content, struct spool_recovery *recovery, bool *ret_keep,
                                       struct spool_found_segment *ret_found, struct error *error)
{
    struct error local = {0};
    *ret_keep = false;
    buffer_clear(content);
    enum error_code code = spool_directory_read_segment(directory, number, UINT64_MAX, content, &local);
    if (code == ERROR_TOO_LARGE || local.detail == EIO) {
        recovery->quarantined++;
        return spool_directory_quarantine(directory, number, local.message, 0, error);
    }
    if (code) return error_set(error, code, "%s", local.message);
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(content), number, &scan);
    if (scan.result == SPOOL_SCAN_NEWER) {
        return error_set(error, ERROR_INVALID, "segment %" PRIu64 " in %s: %s; start the newer version again", number,
                         directory->path, scan.reason);
    }
    if (scan.result == SPOOL_SCAN_CORRUPT) {
        recovery->quarantined++;
        return spool_directory_quarantine(directory, number, scan.reason, scan.rows, error);
    }
    recovery->cut_bytes += content->size - scan.good_size;
    if (scan.rows == 0) return spool_directory_remove_segment(directory, number, error);
    if (scan.result == SPOOL_SCAN_TORN) {
        code = cut_segment(directory, number, scan.good_size, error);
        if (code) return code;
        buffer_truncate(content, scan.good_size);
    }
    code = spool_segment_check_tables(buffer_slice(content), number, schemas, schema_count, &local);
    if (code == ERROR_INVALID || code == ERROR_CORRUPT) {
        recovery->quarantined++;
        return spool_directory_quarantine(directory, number, local.message, scan.rows, error);
    }
    if (code) return error_set(error, code, "%s", local.message);
    *ret_keep = true;
    *ret_found = (struct spool_found_segment){number, scan.rows, scan.good_size, scan.header.created_ms};
    return ERROR_NONE;
}

/* The oldest number below `below` in replay/ whose name is free in the folder; 0 when there is none. */
static enum error_code next_replay(struct spool_directory *directory, uint64_t below, uint64_t *ret_number,
                                   struct error *error)
{
    char folder[SPOOL_PATH_LIMIT], path[SPOOL_PATH_LIMIT];
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory looking for segments to replay");
    char **names;
    size_t count;
    enum error_code code = folder_file_path(directory, "replay", folder, error);
    if (!code) code = os_directory_list(folder, arena, &names, &count, error);
    *ret_number = 0;
    for (size_t i = 0; !code && i < count && *ret_number == 0; i++) {
        uint64_t number;
        if (!parse_segment_name(names[i], &number) || number >= below) continue;
        code = segment_path(directory, number, path, error);
        if (!code && !os_file_exists(path)) *ret_number = number;
    }
    arena_destroy(arena);
    return code;
}

/* From replay/ into the folder; the reason goes. */
static enum error_code move_back(struct spool_directory *directory, uint64_t number, struct error *error)
{
    const struct os_file_system *files = directory->files;
    char from[SPOOL_PATH_LIMIT], to[SPOOL_PATH_LIMIT], reason[SPOOL_PATH_LIMIT], folder[SPOOL_PATH_LIMIT];
    enum error_code code = make_path(directory, "replay/", number, SUFFIX, from, error);
    if (!code) code = segment_path(directory, number, to, error);
    if (!code) code = make_path(directory, "quarantine/", number, ".reason", reason, error);
    if (!code) code = folder_file_path(directory, "replay", folder, error);
    if (!code) code = files->rename(files->context, from, to, error);
    if (code) return code;
    /* As in quarantine: done is done, and after a power cut it is found in one of the two. */
    (void)sync_folder(directory, NULL);
    (void)files->sync_directory(files->context, folder, NULL);
    (void)files->unlink(files->context, reason, NULL);
    return ERROR_NONE;
}

enum error_code spool_directory_take_back(struct spool_directory *directory, uint64_t below,
                                          const struct block_schema *const *schemas, size_t schema_count, bool *ret_keep,
                                          struct spool_found_segment *ret_found, struct error *error)
{
    uint64_t number;
    enum error_code code = next_replay(directory, below, &number, error);
    if (!code && number == 0) return error_set(error, ERROR_NOT_FOUND, "no segment waits in replay/");
    if (!code) code = move_back(directory, number, error);
    if (code) return code;
    struct buffer content = {0};
    struct spool_recovery recovery = {0};
    code = recover_segment(directory, number, schemas, schema_count, &content, &recovery, ret_keep, ret_found, error);
    buffer_free(&content);
    return code;
}

enum error_code spool_directory_quarantined_rows(struct spool_directory *directory, uint64_t *ret_rows, struct error *error)
{
    char folder[SPOOL_PATH_LIMIT], path[SPOOL_PATH_LIMIT];
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory counting rows in quarantine");
    char **names;
    size_t count;
    uint64_t rows = 0;
    struct buffer text = {0};
    enum error_code code = folder_file_path(directory, "quarantine", folder, error);
    if (!code) code = os_directory_list(folder, arena, &names, &count, error);
    for (size_t i = 0; !code && i < count; i++) {
        uint64_t number, found;
        if (!parse_segment_name(names[i], &number)) continue;
        code = make_path(directory, "quarantine/", number, ".reason", path, error);
        buffer_clear(&text);
        if (code || os_file_read(path, SPOOL_REASON_LIMIT, &text, NULL)) continue;
        ptrdiff_t at = slice_find(buffer_slice(&text), SLICE("\nrows "));
        if (at < 0) continue;
        struct slice rest = slice_from(buffer_slice(&text), (size_t)at + sizeof "\nrows " - 1);
        if (slice_parse_uint64(slice_cut(&rest, '\n'), &found)) rows += found;
    }
    buffer_free(&text);
    arena_destroy(arena);
    if (!code) *ret_rows = rows;
    return code;
}

int64_t spool_directory_quarantine_changed_ns(struct spool_directory *directory)
{
    char folder[SPOOL_PATH_LIMIT];
    struct stat status;
    if (folder_file_path(directory, "quarantine", folder, NULL) || stat(folder, &status) != 0) return 0;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

enum error_code spool_directory_recover(struct spool_directory *directory, const struct block_schema *const *schemas,
                                        size_t schema_count, struct arena *arena, struct spool_recovery *ret_recovery,
                                        struct error *error)
{
    char **names;
    size_t count;
    uint64_t replayed;
    enum error_code code;
    do {
        code = next_replay(directory, UINT64_MAX, &replayed, error);
        if (!code && replayed) code = move_back(directory, replayed, error);
        if (code) return code;
    } while (replayed);
    code = os_directory_list(directory->path, arena, &names, &count, error);
    if (code) return code;
    struct spool_recovery recovery = {.segments = arena_allocate(arena, (count + 1) * sizeof *recovery.segments)};
    if (!recovery.segments) return error_set(error, ERROR_MEMORY, "out of memory");
    struct buffer content = {0};
    for (size_t i = 0; !code && i < count; i++) {
        uint64_t number;
        bool keep;
        if (!parse_segment_name(names[i], &number)) continue;
        code = recover_segment(directory, number, schemas, schema_count, &content, &recovery, &keep,
                               &recovery.segments[recovery.count], error);
        if (!code && keep) recovery.count++;
    }
    buffer_free(&content);
    if (!code) *ret_recovery = recovery;
    return code;
}
