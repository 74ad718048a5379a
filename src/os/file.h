/* SPDX-License-Identifier: Apache-2.0 */
/* Files as the durable parts see them: a table of functions, so that a test can plug in a disk that forgets. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <sys/types.h>
#include <sys/uio.h>
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/*
 * Every function returns 0 or an error code with `error` filled (path and reason). Paths end in a zero.
 * `context` is passed to every function; os_file_system_real has none.
 */
struct os_file_system {
    void *context;
    /* Opens for reading and appending, creates when absent; *ret_fd is a real descriptor. */
    enum error_code (*open_append)(void *context, const char *path, int *ret_fd, struct error *error);
    enum error_code (*open_read)(void *context, const char *path, int *ret_fd, struct error *error);
    /* Writes all of it at the end, or fails; a failed write may have written a part. */
    enum error_code (*append)(void *context, int fd, const struct iovec *parts, int part_count, struct error *error);
    /* fdatasync: when it returns 0 everything appended before is on disk. */
    enum error_code (*sync)(void *context, int fd, struct error *error);
    enum error_code (*truncate)(void *context, int fd, off_t size, struct error *error);
    void (*close)(void *context, int fd);
    enum error_code (*rename)(void *context, const char *from, const char *to, struct error *error);
    enum error_code (*unlink)(void *context, const char *path, struct error *error);
    /* Makes creations, renames and removals in a directory durable. */
    enum error_code (*sync_directory)(void *context, const char *path, struct error *error);
};
extern const struct os_file_system os_file_system_real;

/* mkdir -p with mode 0700. */
enum error_code os_directory_create(const char *path, struct error *error);
/* Names in a directory, sorted, without . and ..; array and names live in the arena. */
enum error_code os_directory_list(const char *path, struct arena *arena, char ***ret_names, size_t *ret_count,
                                  struct error *error);
/* Appends the whole file to `out`; more than `limit_bytes` is ERROR_TOO_LARGE. */
enum error_code os_file_read(const char *path, size_t limit_bytes, struct buffer *out, struct error *error);
/* Writes beside, syncs and renames over `path`: readers see the old or the new content, never a part. */
enum error_code os_file_replace(const char *path, struct slice content, struct error *error);
bool os_file_exists(const char *path);

#endif
