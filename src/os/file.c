/* SPDX-License-Identifier: Apache-2.0 */
/* The real file system behind os_file_system, and helpers for small files and directories. */
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Parts handed to the kernel at once. */
#define PART_BATCH 64

/* A missing file is an answer its callers tell apart from a failing disk. */
static enum error_code open_failed(struct error *error, int saved_errno, const char *path)
{
    if (saved_errno != ENOENT) return error_set_errno(error, saved_errno, "cannot open %s", path);
    error_set(error, ERROR_NOT_FOUND, "%s does not exist", path);
    if (error) error->detail = saved_errno;
    return ERROR_NOT_FOUND;
}

static enum error_code open_file(const char *path, int flags, int *ret_fd, struct error *error)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return open_failed(error, errno, path);
    *ret_fd = fd;
    return ERROR_NONE;
}

static enum error_code real_open_append(void *context, const char *path, int *ret_fd, struct error *error)
{
    return open_file(path, O_RDWR | O_APPEND | O_CREAT, ret_fd, error);
}

static enum error_code real_open_read(void *context, const char *path, int *ret_fd, struct error *error)
{
    return open_file(path, O_RDONLY, ret_fd, error);
}

static enum error_code write_all(int fd, const void *data, size_t size, struct error *error)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_set_errno(error, errno, "cannot write %zu bytes", size);
        at += written;
        size -= (size_t)written;
    }
    return ERROR_NONE;
}

static enum error_code real_append(void *context, int fd, const struct iovec *parts, int part_count,
                                   struct error *error)
{
    while (part_count > 0) {
        int batch = part_count < PART_BATCH ? part_count : PART_BATCH;
        ssize_t written = writev(fd, parts, batch);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_set_errno(error, errno, "cannot append");
        size_t left = (size_t)written;
        while (batch > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            part_count--;
            batch--;
        }
        if (batch > 0) { /* the kernel stopped inside this part */
            enum error_code code =
                write_all(fd, (const char *)parts->iov_base + left, parts->iov_len - left, error);
            if (code) return code;
            parts++;
            part_count--;
        }
    }
    return ERROR_NONE;
}

static enum error_code real_sync(void *context, int fd, struct error *error)
{
    if (fdatasync(fd) != 0) return error_set_errno(error, errno, "cannot sync to disk");
    return ERROR_NONE;
}

static enum error_code real_truncate(void *context, int fd, off_t size, struct error *error)
{
    if (ftruncate(fd, size) != 0)
        return error_set_errno(error, errno, "cannot truncate to %lld bytes", (long long)size);
    return ERROR_NONE;
}

static void real_close(void *context, int fd)
{
    close(fd);
}

static enum error_code real_rename(void *context, const char *from, const char *to, struct error *error)
{
    if (rename(from, to) != 0) return error_set_errno(error, errno, "cannot rename %s to %s", from, to);
    return ERROR_NONE;
}

static enum error_code real_unlink(void *context, const char *path, struct error *error)
{
    if (unlink(path) != 0) return error_set_errno(error, errno, "cannot remove %s", path);
    return ERROR_NONE;
}

static enum error_code real_sync_directory(void *context, const char *path, struct error *error)
{
    int fd = -1;
    enum error_code code = open_file(path, O_RDONLY | O_DIRECTORY, &fd, error);
    if (code) return code;
    if (fsync(fd) != 0) code = error_set_errno(error, errno, "cannot sync directory %s", path);
    close(fd);
    return code;
}

const struct os_file_system os_file_system_real = {
    .open_append = real_open_append,
    .open_read = real_open_read,
    .append = real_append,
    .sync = real_sync,
    .truncate = real_truncate,
    .close = real_close,
    .rename = real_rename,
    .unlink = real_unlink,
    .sync_directory = real_sync_directory,
};

static enum error_code directory_make(const char *path, struct error *error)
{
    if (mkdir(path, 0700) == 0) return ERROR_NONE;
    int saved_errno = errno;
    struct stat status;
    if (saved_errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return ERROR_NONE;
    return error_set_errno(error, saved_errno, "cannot create directory %s", path);
}

enum error_code os_directory_create(const char *path, struct error *error)
{
    char prefix[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof prefix)
        return error_set(error, ERROR_INVALID, "directory name is empty or longer than %zu bytes", sizeof prefix - 1);
    memcpy(prefix, path, size + 1);
    for (char *slash = strchr(prefix + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        enum error_code code = directory_make(prefix, error);
        if (code) return code;
        *slash = '/';
    }
    return directory_make(prefix, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum error_code os_directory_list(const char *path, struct arena *arena, char ***ret_names, size_t *ret_count,
                                  struct error *error)
{
    DIR *directory = opendir(path);
    if (!directory) return open_failed(error, errno, path);
    char **found = NULL; /* grows on the heap, then moves to the arena in one piece */
    size_t count = 0, capacity = 0;
    bool out_of_memory = false;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (count == capacity) {
            size_t larger = capacity ? 2 * capacity : 64;
            char **grown = realloc(found, larger * sizeof *found);
            if (!grown) {
                out_of_memory = true;
                break;
            }
            found = grown;
            capacity = larger;
        }
        found[count] = arena_copy_string(arena, slice_from_string(entry->d_name));
        if (!found[count++]) {
            out_of_memory = true;
            break;
        }
    }
    int saved_errno = errno;
    closedir(directory);
    char **names = out_of_memory ? NULL : arena_allocate(arena, (count ? count : 1) * sizeof *names);
    enum error_code code = ERROR_NONE;
    if (!names) {
        code = error_set(error, ERROR_MEMORY, "no memory to list %s", path);
    } else if (saved_errno) {
        code = error_set_errno(error, saved_errno, "cannot list %s", path);
    } else {
        if (count > 0) {
            memcpy(names, found, count * sizeof *names);
            qsort(names, count, sizeof *names, compare_names);
        }
        *ret_names = names;
        *ret_count = count;
    }
    free(found);
    return code;
}

enum error_code os_file_read(const char *path, size_t limit_bytes, struct buffer *out, struct error *error)
{
    int fd = -1;
    enum error_code code = open_file(path, O_RDONLY, &fd, error);
    if (code) return code;
    /* Not by the size stat() tells: files in /proc say 0, and a file may grow while it is read. */
    for (size_t total = 0;;) {
        size_t want = limit_bytes - total < 65536 ? limit_bytes - total + 1 : 65536;
        char *room = buffer_reserve(out, want);
        if (!room) {
            code = error_set(error, ERROR_MEMORY, "no memory to read %s", path);
            break;
        }
        ssize_t got = read(fd, room, want);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) code = error_set_errno(error, errno, "cannot read %s", path);
        if (got <= 0) break;
        total += (size_t)got;
        out->size += (size_t)got;
        if (total > limit_bytes) {
            code = error_set(error, ERROR_TOO_LARGE, "%s is larger than %zu bytes", path, limit_bytes);
            break;
        }
    }
    close(fd);
    return code;
}

/* The directory part of a path, "." when it has none. */
static void directory_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(out, slash ? path : ".", size);
    out[size] = 0;
}

enum error_code os_file_replace(const char *path, struct slice content, struct error *error)
{
    char beside[PATH_MAX], directory[PATH_MAX];
    int size = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (size < 0 || (size_t)size >= sizeof beside)
        return error_set(error, ERROR_INVALID, "file name is too long: %s", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) return error_set_errno(error, errno, "cannot create a file beside %s", path);
    enum error_code code = write_all(fd, content.data, content.size, error);
    if (!code && fsync(fd) != 0) code = error_set_errno(error, errno, "cannot sync %s", beside);
    close(fd);
    if (!code) code = real_rename(NULL, beside, path, error);
    if (code) {
        unlink(beside);
        return code;
    }
    directory_of(path, directory);
    return real_sync_directory(NULL, directory, error);
}

bool os_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
