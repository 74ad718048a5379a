/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and watching the event store that the settings name. */
#include "server/remote_store.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "server/domains.h"
#include "server/store_migrations.h"
#include "server/stopping.h"

#define REMOTE_CHECK_MS 500
#define REMOTE_PASSWORD_FILE_LIMIT 4096
#define REMOTE_DATABASE_LIMIT 64

struct remote_store {
    struct os_thread thread;
    struct queue *wake; /* always empty: closing it ends a wait */
    atomic_bool up;
    struct store_session *session;
    struct metric *up_gauge;
};

/* Every database the program names, once. */
static void remote_store_list_databases(const char *databases[REMOTE_DATABASE_LIMIT + 1])
{
    size_t policy_count, count = 0;
    struct engine_policy *policies = server_domain_policies(&policy_count);
    databases[count++] = STORE_MIGRATIONS_DATABASE;
    for (size_t i = 0; i < policy_count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < count; j++) is_new = is_new && strcmp(databases[j], policies[i].database) != 0;
        ASSERT(count < REMOTE_DATABASE_LIMIT);
        if (is_new) databases[count++] = policies[i].database;
    }
    databases[count] = NULL;
    free(policies); /* the names in it are the domains' own */
}

static enum error_code remote_store_read_password(const struct settings *settings, struct buffer *out,
                                                  struct error *error)
{
    if (!settings->store_password_file[0]) {
        buffer_append_string(out, settings->store_password);
    } else {
        enum error_code code = os_file_read(settings->store_password_file, REMOTE_PASSWORD_FILE_LIMIT, out, error);
        if (code != ERROR_NONE) return code;
        ptrdiff_t line_end = slice_index_of(buffer_slice(out), '\n');
        if (line_end >= 0) buffer_truncate(out, (size_t)line_end);
        if (out->size && out->data[out->size - 1] == '\r') buffer_truncate(out, out->size - 1);
    }
    buffer_append_byte(out, '\0');
    return out->failed ? error_set(error, ERROR_MEMORY, "out of memory") : ERROR_NONE;
}

static enum error_code remote_store_check(const struct settings *settings, enum store_compression *compression,
                                          struct error *error)
{
    if (!store_compression_find(settings->store_compression, compression))
        return error_set_field(error, ERROR_INVALID, "store.compression",
                               "setting store.compression: \"%s\" is none of none, gzip, zstd",
                               settings->store_compression);
    if (settings->store_ca_file[0] && access(settings->store_ca_file, R_OK) != 0)
        return error_set_field(error, ERROR_INVALID, "store.ca_file", "setting store.ca_file: %s cannot be read",
                               settings->store_ca_file);
    if (settings->store_password[0] && settings->store_password_file[0])
        return error_set_field(error, ERROR_INVALID, "store.password_file",
                               "give store.password or store.password_file, not both");
    return ERROR_NONE;
}

enum error_code remote_store_create(const struct settings *settings, const char *engine_socket,
                                    struct store **ret_store, struct error *error)
{
    struct store_settings store = {.unix_path = engine_socket,
                                   .connect_timeout_ms = settings->store_connect_timeout_ms};
    if (!settings->store_url[0]) {
        if (settings->store_cluster[0] || settings->store_database_prefix[0])
            return error_set_field(error, ERROR_INVALID, "store.url",
                                   "store.cluster and store.database_prefix need store.url: the embedded "
                                   "event store is one server of its own");
        return store_create(&store, ret_store, error);
    }
    const char *databases[REMOTE_DATABASE_LIMIT + 1];
    struct buffer password = {0};
    remote_store_list_databases(databases);
    enum error_code code = remote_store_check(settings, &store.compression, error);
    if (code == ERROR_NONE) code = remote_store_read_password(settings, &password, error);
    if (code == ERROR_NONE) {
        store.unix_path = NULL;
        store.url = settings->store_url;
        store.user = settings->store_user[0] ? settings->store_user : NULL;
        store.password = password.data[0] ? password.data : NULL;
        store.ca_file = settings->store_ca_file;
        store.is_clustered = settings->store_cluster[0] != 0;
        store.database_prefix = settings->store_database_prefix;
        store.databases = databases;
        code = store_create(&store, ret_store, error);
    }
    if (password.data) explicit_bzero(password.data, password.size);
    buffer_free(&password);
    return code;
}

/* What no waiting changes: see http_exception.c for the other meaning, a server that is being set up. */
static bool remote_store_refuses_login(const struct error *error)
{
    return error->detail == 192 || error->detail == 193 || error->detail == 194 || error->detail == 516;
}

static bool remote_store_ask(struct remote_store *remote, struct error *error)
{
    *error = (struct error){0};
    bool up = store_session_ping(remote->session, error) == ERROR_NONE;
    if (up != atomic_load(&remote->up)) {
        if (up) log_info("event store: answers");
        else log_warn("event store: %s", error->message);
    }
    atomic_store(&remote->up, up);
    if (remote->up_gauge) metric_set(remote->up_gauge, up);
    return up;
}

static void remote_store_run(void *context)
{
    struct remote_store *remote = context;
    struct error error;
    while (!queue_is_closed(remote->wake)) {
        remote_store_ask(remote, &error);
        queue_pop(remote->wake, REMOTE_CHECK_MS);
    }
}

enum error_code remote_store_start(struct store *store, struct metric_registry *metrics, int64_t wait_ms,
                                   struct remote_store **ret_remote, struct error *error)
{
    struct remote_store *remote = calloc(1, sizeof *remote);
    ASSERT(remote != NULL);
    remote->wake = queue_create(1);
    ASSERT(remote->wake != NULL);
    if (metrics)
        remote->up_gauge =
            metric_gauge(metrics, "millrace_store_up", "", "1 while the event store at store.url answers.");
    enum error_code code = store_session_create(store, &remote->session, error);
    int64_t until_ms = os_clock_monotonic_ms() + wait_ms;
    struct error why;
    while (code == ERROR_NONE && !remote_store_ask(remote, &why)) {
        if (remote_store_refuses_login(&why))
            code = error_set(error, ERROR_FORBIDDEN, "the event store refuses the login: %s", why.message);
        else if (stopping_is_asked())
            code = error_set(error, ERROR_CANCELLED, "told to end before the event store answered");
        else if (os_clock_monotonic_ms() > until_ms)
            code =
                error_set(error, ERROR_TIMEOUT, "no event store within %lld ms: %s", (long long)wait_ms, why.message);
        else queue_pop(remote->wake, REMOTE_CHECK_MS);
    }
    if (code == ERROR_NONE) code = os_thread_start(&remote->thread, "store-watch", remote_store_run, remote, error);
    if (code != ERROR_NONE) {
        remote_store_stop(remote);
        return code;
    }
    *ret_remote = remote;
    return ERROR_NONE;
}

bool remote_store_is_up(struct remote_store *remote) { return atomic_load(&remote->up); }

void remote_store_stop(struct remote_store *remote)
{
    if (!remote) return;
    queue_close(remote->wake);
    os_thread_join(&remote->thread);
    store_session_destroy(remote->session);
    queue_destroy(remote->wake);
    free(remote);
}
