/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the installation's secret from the operator's file, the shared metadata or the data folder, and makes it once. */
#include "server/installation_secret.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/file.h"
#include "server/places.h"
#include "tenant/base64.h"

static bool secret_from_hexadecimal(struct slice text, unsigned char secret[TENANT_SECRET_SIZE])
{
    if (text.size != 2 * TENANT_SECRET_SIZE) return false;
    for (size_t i = 0; i < text.size; i++) {
        char digit = text.data[i];
        int value = digit >= '0' && digit <= '9'   ? digit - '0'
                    : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                    : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                   : -1;
        if (value < 0) return false;
        secret[i / 2] = (unsigned char)(i % 2 ? secret[i / 2] | value : value << 4);
    }
    return true;
}

static enum error_code secret_read_setting(const char *path, unsigned char secret[TENANT_SECRET_SIZE], struct error *error)
{
    struct buffer content = {0};
    struct error inner;
    enum error_code code = os_file_read(path, 1024, &content, &inner);
    if (code != ERROR_NONE) {
        code = error_set_field(error, ERROR_INVALID, "security.secret_file", "security.secret_file: %.400s", inner.message);
    } else if (content.size == TENANT_SECRET_SIZE) {
        memcpy(secret, content.data, TENANT_SECRET_SIZE);
    } else if (!secret_from_hexadecimal(slice_trim(buffer_slice(&content)), secret)) {
        code = error_set_field(error, ERROR_INVALID, "security.secret_file",
                               "security.secret_file: %s must hold 32 bytes or 64 hexadecimal digits (openssl rand -hex 32)", path);
    }
    buffer_free(&content);
    return code;
}

static enum error_code secret_read_file(const char *path, unsigned char secret[TENANT_SECRET_SIZE], struct error *error)
{
    struct buffer content = {0};
    enum error_code code = os_file_read(path, 1024, &content, error);
    if (code == ERROR_NONE && content.size != TENANT_SECRET_SIZE)
        code = error_set(error, ERROR_CORRUPT, "%s must hold 32 bytes and holds %zu", path, content.size);
    if (code == ERROR_NONE) memcpy(secret, content.data, TENANT_SECRET_SIZE);
    buffer_free(&content);
    return code;
}

/* Of a server and a command that start at once on a new folder one makes the file, and both read that. */
static enum error_code secret_make_file(const char *path, struct error *error)
{
    char beside[PATH_MAX + 64];
    unsigned char random[TENANT_SECRET_SIZE];
    uuid_random_bytes(random, sizeof random);
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    enum error_code code = os_file_replace(beside, slice_make(random, sizeof random), error);
    if (code != ERROR_NONE) return code;
    if (link(beside, path) != 0 && errno != EEXIST) code = error_set_errno(error, errno, "create %s", path);
    unlink(beside);
    return code;
}

static enum error_code secret_from_folder(const char *path, unsigned char secret[TENANT_SECRET_SIZE], struct error *error)
{
    enum error_code code = os_file_exists(path) ? ERROR_NONE : secret_make_file(path, error);
    return code == ERROR_NONE ? secret_read_file(path, secret, error) : code;
}

static enum error_code secret_row(void *context, const struct meta_row *row, struct error *error)
{
    struct buffer bytes = {0};
    bool fits = tenant_base64_decode(TENANT_BASE64_URL, meta_row_text(row, 0), &bytes) && bytes.size == TENANT_SECRET_SIZE;
    if (fits) memcpy(context, bytes.data, TENANT_SECRET_SIZE);
    buffer_free(&bytes);
    return fits ? ERROR_NONE : error_set(error, ERROR_CORRUPT, "the row \"secret\" of the table installation does not hold 32 bytes");
}

/* Whoever comes first writes; all read what is there then. */
static enum error_code secret_from_metadata(struct meta_database *core, const char *path,
                                            unsigned char secret[TENANT_SECRET_SIZE], struct error *error)
{
    unsigned char own[TENANT_SECRET_SIZE];
    bool has_own = os_file_exists(path);
    enum error_code code = ERROR_NONE;
    if (has_own) code = secret_read_file(path, own, error);
    else uuid_random_bytes(own, sizeof own);
    struct meta_session *session = NULL;
    if (code == ERROR_NONE) code = meta_session_begin(core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    char text[TENANT_BASE64_SIZE(TENANT_SECRET_SIZE)];
    tenant_base64_write(TENANT_BASE64_URL, slice_make(own, sizeof own), text);
    code = meta_execute(session, "insert into installation (name, value, created_at) values ('secret', $1, $2) on conflict (name) do nothing",
                        META_PARAMETERS(meta_text(slice_make(text, sizeof text)), meta_integer(os_clock_wall_ms())), NULL, error);
    if (code == ERROR_NONE)
        code = meta_query(session, "select value from installation where name = 'secret'", NULL, 0, secret_row, secret, error);
    meta_session_end(session);
    if (code == ERROR_NONE && has_own && memcmp(own, secret, TENANT_SECRET_SIZE) != 0)
        log_warn("the secret in %s is not the one of the shared metadata, which is used; the file may be removed", path);
    return code;
}

enum error_code installation_secret_load(const struct settings *settings, struct meta_database *core,
                                         unsigned char secret[TENANT_SECRET_SIZE], struct error *error)
{
    char path[PATH_MAX];
    if (settings->security_secret_file[0]) return secret_read_setting(settings->security_secret_file, secret, error);
    if (snprintf(path, sizeof path, "%s/secret", settings->data) >= (int)sizeof path)
        return error_set_field(error, ERROR_INVALID, "data", "the path of the data folder is too long: %.200s", settings->data);
    if (places_metadata_is_shared(settings)) return secret_from_metadata(core, path, secret, error);
    return secret_from_folder(path, secret, error);
}
