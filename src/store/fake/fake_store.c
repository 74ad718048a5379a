/* SPDX-License-Identifier: Apache-2.0 */
/* The event store in memory: what the real one promises about inserts and tokens, without an engine. */
#include "store/fake/fake_store.h"

#include <errno.h>
#include <pthread.h>

#include "base/arena.h"
#include "block/native_reader.h"

/* ClickHouse's numbers for what the fake refuses by itself. */
#define CODE_INCORRECT_DATA 117

struct insert {
    struct insert *next;
    char *database;
    char *table;
    char token[128];
    bool is_token_known;
    uint64_t rows;
    struct buffer native;
};

struct script {
    struct script *next;
    unsigned times;
    bool is_answer_lost; /* stored, then ERROR_TIMEOUT; else the error below and nothing stored */
    enum error_code code;
    int detail;
    char message[256];
};

struct fake_store {
    struct store store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct insert *inserts, **inserts_end;
    struct script *scripts, **scripts_end;
    store_fake_answer *answer;
    void *answer_context;
    size_t attempts, differing;
    bool is_unreachable;
};

struct fake_session {
    struct store_session session;
    struct fake_store *store;
};

static bool is_of_table(const struct insert *insert, const char *database, const char *table)
{
    return strcmp(insert->database, database) == 0 && strcmp(insert->table, table) == 0;
}

/* As the real engine does, looks at the bytes before it takes them. */
static enum error_code count_rows(struct slice native, uint64_t *ret_rows, struct error *error)
{
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory");
    struct error why = {0};
    enum error_code code = ERROR_NONE;
    uint64_t rows = 0;
    while (!code && native.size > 0) {
        struct native_block block;
        code = native_reader_next(&native, arena, &block, &why);
        if (!code) rows += block.rows;
    }
    arena_destroy(arena);
    if (code) {
        error_set(error, ERROR_STORE, "Code: %d. DB::Exception: %s", CODE_INCORRECT_DATA, why.message);
        if (error) error->detail = CODE_INCORRECT_DATA;
        return ERROR_STORE;
    }
    *ret_rows = rows;
    return ERROR_NONE;
}

static enum error_code store_rows(struct fake_store *fake, const struct store_insert *request, struct error *error)
{
    for (const struct insert *insert = fake->inserts; insert; insert = insert->next) {
        bool is_same = insert->is_token_known && strcmp(insert->token, request->token) == 0;
        if (is_same && is_of_table(insert, request->database, request->table)) return ERROR_NONE;
    }
    uint64_t rows = 0;
    enum error_code code = count_rows(request->native, &rows, error);
    if (code) return code;
    struct insert *insert = calloc(1, sizeof *insert);
    ASSERT(insert);
    insert->database = strdup(request->database);
    insert->table = strdup(request->table);
    snprintf(insert->token, sizeof insert->token, "%s", request->token);
    insert->is_token_known = true;
    fake->differing += request->rows_differ;
    insert->rows = rows;
    buffer_append_slice(&insert->native, request->native);
    ASSERT(insert->database && insert->table && !insert->native.failed);
    *fake->inserts_end = insert;
    fake->inserts_end = &insert->next;
    return ERROR_NONE;
}

/* The script of this insert, copied, or all zeros. */
static struct script next_script(struct fake_store *fake)
{
    struct script *script = fake->scripts;
    if (!script) return (struct script){0};
    struct script copy = *script;
    if (--script->times == 0) {
        fake->scripts = script->next;
        if (!fake->scripts) fake->scripts_end = &fake->scripts;
        free(script);
    }
    return copy;
}

static enum error_code insert_rows(struct store_session *session, const struct store_insert *request, struct error *error)
{
    struct fake_store *fake = ((struct fake_session *)session)->store;
    enum error_code code;
    pthread_mutex_lock(&fake->lock);
    fake->attempts++;
    if (fake->is_unreachable) {
        code = error_set(error, ERROR_UNAVAILABLE, "the event store cannot be reached");
    } else {
        struct script script = next_script(fake);
        if (script.code) {
            code = error_set(error, script.code, "%s", script.message);
            if (error) error->detail = script.detail;
        } else {
            code = store_rows(fake, request, error);
            if (!code && script.is_answer_lost) code = error_set(error, ERROR_TIMEOUT, "the answer was lost");
        }
    }
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
    return code;
}

static enum error_code give(const struct store_query *query, struct slice answer, struct buffer *out, struct error *error)
{
    if (query->answer_limit_bytes && answer.size > query->answer_limit_bytes) {
        return error_set(error, ERROR_TOO_LARGE, "the answer is larger than %zu bytes: ask for less", query->answer_limit_bytes);
    }
    if (query->received) {
        if (answer.size > 0 && !query->received(query->received_context, answer)) {
            return error_set(error, ERROR_CANCELLED, "the query was cancelled");
        }
    } else if (out) {
        buffer_append_slice(out, answer);
    }
    return ERROR_NONE;
}

static enum error_code run_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                 struct error *error)
{
    struct fake_store *fake = ((struct fake_session *)session)->store;
    pthread_mutex_lock(&fake->lock);
    bool is_unreachable = fake->is_unreachable;
    store_fake_answer *answer = fake->answer;
    void *context = fake->answer_context;
    pthread_mutex_unlock(&fake->lock);
    if (is_unreachable) return error_set(error, ERROR_UNAVAILABLE, "the event store cannot be reached");
    if (query->cancelled && atomic_load(query->cancelled)) return error_set(error, ERROR_CANCELLED, "the query was cancelled");
    if (slice_equal(query->sql, SLICE("SELECT 1"))) return give(query, SLICE("1\n"), out, error);
    if (!answer) return ERROR_NONE;
    struct buffer made = {0};
    enum error_code code = answer(context, query, &made, error);
    if (!code) code = give(query, buffer_slice(&made), out, error);
    buffer_free(&made);
    return code;
}

static void destroy_session(struct store_session *session)
{
    free(session);
}

static void destroy_store(struct store *store)
{
    struct fake_store *fake = (struct fake_store *)store;
    while (fake->inserts) {
        struct insert *insert = fake->inserts;
        fake->inserts = insert->next;
        free(insert->database);
        free(insert->table);
        buffer_free(&insert->native);
        free(insert);
    }
    while (fake->scripts) {
        struct script *script = fake->scripts;
        fake->scripts = script->next;
        free(script);
    }
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

static enum error_code create_session(struct store *store, struct store_session **ret_session, struct error *error);
static const struct store_driver fake_driver = {create_session, destroy_session, run_query, insert_rows, destroy_store};

static enum error_code create_session(struct store *store, struct store_session **ret_session, struct error *error)
{
    struct fake_session *session = calloc(1, sizeof *session);
    if (!session) return error_set(error, ERROR_MEMORY, "out of memory");
    session->session.driver = &fake_driver;
    session->store = (struct fake_store *)store;
    *ret_session = &session->session;
    return ERROR_NONE;
}

enum error_code store_fake_create(struct store **ret_store, struct error *error)
{
    struct fake_store *fake = calloc(1, sizeof *fake);
    if (!fake) return error_set(error, ERROR_MEMORY, "out of memory");
    fake->store.driver = &fake_driver;
    fake->inserts_end = &fake->inserts;
    fake->scripts_end = &fake->scripts;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_store = &fake->store;
    return ERROR_NONE;
}

static struct fake_store *lock_fake(struct store *store)
{
    ASSERT(store->driver == &fake_driver);
    struct fake_store *fake = (struct fake_store *)store;
    pthread_mutex_lock(&fake->lock);
    return fake;
}

static void add_script(struct store *store, struct script script)
{
    ASSERT(script.times > 0);
    struct script *kept = malloc(sizeof *kept);
    ASSERT(kept);
    *kept = script;
    struct fake_store *fake = lock_fake(store);
    *fake->scripts_end = kept;
    fake->scripts_end = &kept->next;
    pthread_mutex_unlock(&fake->lock);
}

void store_fake_fail_inserts(struct store *store, unsigned times, enum error_code code, int detail, const char *message)
{
    struct script script = {.times = times, .code = code, .detail = detail};
    snprintf(script.message, sizeof script.message, "%s", message);
    add_script(store, script);
}

void store_fake_lose_answers(struct store *store, unsigned times)
{
    add_script(store, (struct script){.times = times, .is_answer_lost = true});
}

void store_fake_forget_tokens(struct store *store)
{
    struct fake_store *fake = lock_fake(store);
    for (struct insert *insert = fake->inserts; insert; insert = insert->next) insert->is_token_known = false;
    pthread_mutex_unlock(&fake->lock);
}

void store_fake_set_reachable(struct store *store, bool is_reachable)
{
    struct fake_store *fake = lock_fake(store);
    fake->is_unreachable = !is_reachable;
    pthread_mutex_unlock(&fake->lock);
}

void store_fake_set_answer(struct store *store, store_fake_answer *answer, void *context)
{
    struct fake_store *fake = lock_fake(store);
    fake->answer = answer;
    fake->answer_context = context;
    pthread_mutex_unlock(&fake->lock);
}

size_t store_fake_attempts(struct store *store)
{
    struct fake_store *fake = lock_fake(store);
    size_t attempts = fake->attempts;
    pthread_mutex_unlock(&fake->lock);
    return attempts;
}

size_t store_fake_differing_inserts(struct store *store)
{
    struct fake_store *fake = lock_fake(store);
    size_t differing = fake->differing;
    pthread_mutex_unlock(&fake->lock);
    return differing;
}

static uint64_t sum(struct fake_store *fake, const char *database, const char *table, bool of_rows)
{
    uint64_t total = 0;
    for (const struct insert *insert = fake->inserts; insert; insert = insert->next) {
        if (is_of_table(insert, database, table)) total += of_rows ? insert->rows : 1;
    }
    return total;
}

size_t store_fake_insert_count(struct store *store, const char *database, const char *table)
{
    struct fake_store *fake = lock_fake(store);
    size_t count = sum(fake, database, table, false);
    pthread_mutex_unlock(&fake->lock);
    return count;
}

uint64_t store_fake_row_count(struct store *store, const char *database, const char *table)
{
    struct fake_store *fake = lock_fake(store);
    uint64_t rows = sum(fake, database, table, true);
    pthread_mutex_unlock(&fake->lock);
    return rows;
}

bool store_fake_insert_at(struct store *store, const char *database, const char *table, size_t index,
                          char token[128], struct buffer *ret_native)
{
    struct fake_store *fake = lock_fake(store);
    const struct insert *insert = fake->inserts;
    while (insert && (!is_of_table(insert, database, table) || index-- > 0)) insert = insert->next;
    if (insert) {
        memcpy(token, insert->token, sizeof insert->token);
        buffer_append_slice(ret_native, buffer_slice(&insert->native));
    }
    pthread_mutex_unlock(&fake->lock);
    return insert != NULL;
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_nsec -= 1000000000L;
        deadline.tv_sec++;
    }
    return deadline;
}

bool store_fake_wait_rows(struct store *store, const char *database, const char *table, uint64_t rows, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    struct fake_store *fake = lock_fake(store);
    int result = 0;
    while (sum(fake, database, table, true) < rows && result == 0) {
        result = pthread_cond_timedwait(&fake->changed, &fake->lock, &deadline);
    }
    bool reached = sum(fake, database, table, true) >= rows;
    pthread_mutex_unlock(&fake->lock);
    return reached;
}

bool store_fake_wait_attempts(struct store *store, size_t attempts, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    struct fake_store *fake = lock_fake(store);
    int result = 0;
    while (fake->attempts < attempts && result == 0) {
        result = pthread_cond_timedwait(&fake->changed, &fake->lock, &deadline);
    }
    bool reached = fake->attempts >= attempts;
    pthread_mutex_unlock(&fake->lock);
    return reached;
}
