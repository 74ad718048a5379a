/* SPDX-License-Identifier: Apache-2.0 */
/* The data folder's layout. */
#include "server/places.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/process.h"

/* sun_path holds 108 bytes with its zero. */
#define PLACES_SOCKET_LIMIT 107

static enum error_code places_find_library(const struct settings *settings, struct places *places, struct error *error)
{
    if (settings->engine_library[0]) {
        if (realpath(settings->engine_library, places->library)) return ERROR_NONE;
        return error_set_field(error, ERROR_INVALID, "engine.library", "engine.library: there is no file %s", settings->engine_library);
    }
    char program[PATH_MAX];
    enum error_code code = os_process_self_path(program, sizeof program, error);
    if (code != ERROR_NONE) return code;
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    const char *const folders[] = {program, "/usr/local/lib", "/usr/lib"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char candidate[PATH_MAX + 16];
        snprintf(candidate, sizeof candidate, "%s/libchdb.so", folders[i]);
        if (realpath(candidate, places->library)) return ERROR_NONE;
    }
    return error_set_field(error, ERROR_INVALID, "engine.library",
                           "libchdb.so, the embedded event store, is not beside the program (%s) nor in /usr/local/lib or /usr/lib; "
                           "set engine.library, or build with ./dev build", program);
}

struct slice places_find_geo(const struct settings *settings, const struct places *places, char *out, size_t size)
{
    if (settings->geo_database[0]) return slice_from_string(settings->geo_database);
    char program[PATH_MAX];
    if (os_process_self_path(program, sizeof program, NULL) != ERROR_NONE) program[0] = 0;
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    const char *const folders[] = {places->data, program};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct stat status;
        int length = snprintf(out, size, "%s/geo", folders[i]);
        if (length < 0 || (size_t)length >= size || stat(out, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
        if (!strchr(out, ',')) return slice_from_string(out); /* a comma would take the path apart */
    }
    return SLICE_EMPTY;
}

bool places_metadata_is_shared(const struct settings *settings)
{
    struct slice url = slice_from_string(settings->meta_url);
    return slice_starts_with(url, SLICE("postgres:")) || slice_starts_with(url, SLICE("postgresql:"));
}

enum error_code places_find_metadata(const struct settings *settings, char out[PATH_MAX], struct error *error)
{
    bool is_set = settings->meta_url[0] != 0;
    int size = snprintf(out, PATH_MAX, "%s%s%s", is_set ? "" : "sqlite:", is_set ? settings->meta_url : settings->data,
                        is_set ? "" : "/metadata");
    if (size < PATH_MAX) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, is_set ? "meta.url" : "data", "%s is too long", is_set ? "meta.url" : "the data folder's path");
}

enum error_code places_find(const struct settings *settings, struct places *places, struct error *error)
{
    enum error_code code = os_directory_create(settings->data, error);
    if (code != ERROR_NONE) return code;
    char absolute[PATH_MAX];
    if (!realpath(settings->data, absolute)) return error_set_errno(error, errno, "data folder %s", settings->data);
    if (strlen(absolute) >= sizeof places->data)
        return error_set_field(error, ERROR_INVALID, "data", "the path of the data folder is too long: %s", absolute);
    snprintf(places->data, sizeof places->data, "%s", absolute);
    struct settings of_absolute = *settings;
    of_absolute.data = absolute;
    code = places_find_metadata(&of_absolute, places->metadata, error);
    if (code != ERROR_NONE) return code;
    snprintf(places->spool, sizeof places->spool, "%s/spool", places->data);
    snprintf(places->engine, sizeof places->engine, "%s/engine", places->data);
    snprintf(places->boot, sizeof places->boot, "%s/boot", places->data);
    snprintf(places->engine_socket, sizeof places->engine_socket, "%s/engine.sock", places->data);
    if (strlen(places->engine_socket) > PLACES_SOCKET_LIMIT) {
        /* A name made from the path, in a folder only this user may enter. */
        char folder[64];
        snprintf(folder, sizeof folder, "/tmp/millrace-%u", (unsigned)getuid());
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) return error_set_errno(error, errno, "create %s", folder);
        struct stat status;
        if (lstat(folder, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid() || (status.st_mode & 077))
            return error_set(error, ERROR_FORBIDDEN, "%s belongs to somebody else or is open to others", folder);
        snprintf(places->engine_socket, sizeof places->engine_socket, "%s/%016llx.sock", folder,
                 (unsigned long long)slice_hash(slice_from_string(places->data)));
    }
    return settings->store_url[0] ? ERROR_NONE : places_find_library(settings, places, error);
}

/* The kernel draws this anew at every start of the machine. */
#define PLACES_BOOT_ID "/proc/sys/kernel/random/boot_id"

bool places_is_same_boot(const struct places *places)
{
    struct buffer now = {0}, before = {0};
    bool same = true;
    if (os_file_exists(places->boot))
        same = os_file_read(PLACES_BOOT_ID, 4096, &now, NULL) == ERROR_NONE &&
               os_file_read(places->boot, 4096, &before, NULL) == ERROR_NONE &&
               slice_equal(buffer_slice(&now), buffer_slice(&before));
    buffer_free(&now);
    buffer_free(&before);
    return same;
}

enum error_code places_note_boot(const struct places *places, struct error *error)
{
    struct buffer now = {0};
    enum error_code code = os_file_read(PLACES_BOOT_ID, 4096, &now, error);
    if (code == ERROR_NONE) code = os_file_replace(places->boot, buffer_slice(&now), error);
    buffer_free(&now);
    return code;
}
