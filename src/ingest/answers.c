/* SPDX-License-Identifier: Apache-2.0 */
/* The answers under their Idempotency-Keys. */
#include "ingest/answers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "block/native_reader.h"
#include "os/clock.h"

enum answer_progress { ANSWER_PENDING, ANSWER_READY, ANSWER_FORGOTTEN };
struct answer_entry {
    enum answer_progress progress;
    struct ingest_answer answer; /* its slices point behind the entry */
    char text[];
};
struct ingest_answers {
    pthread_mutex_t lock; /* guards the rest */
    struct map current, previous; /* 16-byte key -> struct answer_entry * */
    size_t current_bytes;         /* of the answers in `current` */
    int64_t age_ms, current_since_ms;
};

static struct slice answers_key(const struct ingest_window_key *key) { return slice_make(key->halves, sizeof key->halves); }

static void answers_free_map(struct map *map)
{
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(map, &position));) free(entry->value);
    map_free(map);
}

struct ingest_answers *ingest_answers_create(int64_t age_ms)
{
    struct ingest_answers *answers = calloc(1, sizeof *answers);
    if (!answers) return NULL;
    answers->age_ms = age_ms;
    pthread_mutex_init(&answers->lock, NULL);
    return answers;
}

void ingest_answers_destroy(struct ingest_answers *answers)
{
    if (!answers) return;
    answers_free_map(&answers->current);
    answers_free_map(&answers->previous);
    pthread_mutex_destroy(&answers->lock);
    free(answers);
}

static struct answer_entry *answers_entry_create(enum answer_progress progress, const struct ingest_answer *answer)
{
    struct answer_entry *entry = malloc(sizeof *entry + answer->content_type.size + answer->body.size);
    if (!entry) return NULL;
    entry->progress = progress;
    entry->answer = *answer;
    char *text = entry->text;
    if (answer->content_type.size) memcpy(text, answer->content_type.data, answer->content_type.size);
    entry->answer.content_type.data = text;
    text += answer->content_type.size;
    if (answer->body.size) memcpy(text, answer->body.data, answer->body.size);
    entry->answer.body.data = text;
    return entry;
}

static void answers_turn_over(struct ingest_answers *answers, int64_t now_ms)
{
    if (answers->current_since_ms == 0) answers->current_since_ms = now_ms;
    bool old = now_ms - answers->current_since_ms > answers->age_ms || now_ms < answers->current_since_ms - answers->age_ms;
    bool full = answers->current.count >= INGEST_ANSWERS_KEPT || answers->current_bytes >= INGEST_ANSWERS_KEPT_BYTES;
    if (!full && !(old && answers->current.count)) return;
    answers_free_map(&answers->previous);
    answers->previous = answers->current;
    answers->current = (struct map){0};
    answers->current_bytes = 0;
    answers->current_since_ms = now_ms;
}

/* Puts a new entry in the place of whatever the key has. Out of memory: the key is not remembered. */
static void answers_put(struct ingest_answers *answers, struct ingest_window_key key, struct answer_entry *entry)
{
    if (!entry) return;
    struct map *map = map_get(&answers->previous, answers_key(&key)) ? &answers->previous : &answers->current;
    void *old = map_get(map, answers_key(&key));
    if (map == &answers->current) answers->current_bytes += entry->answer.body.size;
    if (map_put(map, answers_key(&key), entry)) free(old);
    else free(entry);
}

static struct answer_entry *answers_find(struct ingest_answers *answers, struct ingest_window_key key)
{
    struct answer_entry *entry = map_get(&answers->current, answers_key(&key));
    if (!entry) entry = map_get(&answers->previous, answers_key(&key));
    return entry && entry->progress != ANSWER_FORGOTTEN ? entry : NULL;
}

enum ingest_answer_state ingest_answers_claim(struct ingest_answers *answers, struct ingest_window_key key, uint64_t body_hash,
                                              int64_t now_ms, struct arena *arena, struct ingest_answer *ret_answer)
{
    enum ingest_answer_state state = INGEST_ANSWER_NEW;
    pthread_mutex_lock(&answers->lock);
    struct answer_entry *entry = answers_find(answers, key);
    if (!entry) {
        answers_turn_over(answers, now_ms);
        answers_put(answers, key, answers_entry_create(ANSWER_PENDING, &(struct ingest_answer){.body_hash = body_hash}));
    } else if (entry->answer.body_hash != body_hash) {
        state = INGEST_ANSWER_OTHER_BODY;
    } else if (entry->progress == ANSWER_PENDING) {
        state = INGEST_ANSWER_PENDING;
    } else {
        state = INGEST_ANSWER_READY;
        *ret_answer = entry->answer;
        ret_answer->content_type = arena_copy(arena, entry->answer.content_type);
        ret_answer->body = arena_copy(arena, entry->answer.body);
    }
    pthread_mutex_unlock(&answers->lock);
    return state;
}

void ingest_answers_settle(struct ingest_answers *answers, struct ingest_window_key key, const struct ingest_answer *answer)
{
    pthread_mutex_lock(&answers->lock);
    struct answer_entry *entry = answers_find(answers, key);
    if (entry && answer) answers_put(answers, key, answers_entry_create(ANSWER_READY, answer));
    else if (entry) entry->progress = ANSWER_FORGOTTEN;
    pthread_mutex_unlock(&answers->lock);
}

/* Columns of the statement below. */
enum { REBUILD_KEY, REBUILD_BODY_HASH, REBUILD_STATUS, REBUILD_CONTENT_TYPE, REBUILD_ANSWER, REBUILD_COLUMNS };

static enum error_code answers_take_block(struct ingest_answers *answers, const struct native_block *block, struct error *error)
{
    static const enum block_kind kinds[REBUILD_COLUMNS] = {BLOCK_UUID, BLOCK_UINT64, BLOCK_UINT16, BLOCK_STRING, BLOCK_STRING};
    if (block->rows == 0) return ERROR_NONE;
    bool good = block->column_count == REBUILD_COLUMNS;
    for (size_t i = 0; good && i < REBUILD_COLUMNS; i++) good = block->columns[i].values[0].kind == kinds[i];
    if (!good) return error_set(error, ERROR_CORRUPT, "millrace.requests does not have the columns it should have");
    for (size_t row = 0; row < block->rows; row++) {
        struct ingest_window_key key;
        memcpy(key.halves, block->columns[REBUILD_KEY].values[row].uuid.bytes, sizeof key.halves);
        struct ingest_answer answer = {
            .body_hash = block->columns[REBUILD_BODY_HASH].values[row].u,
            .status = (int)block->columns[REBUILD_STATUS].values[row].u,
            .content_type = block->columns[REBUILD_CONTENT_TYPE].values[row].s,
            .body = block->columns[REBUILD_ANSWER].values[row].s,
        };
        answers_put(answers, key, answers_entry_create(ANSWER_READY, &answer));
    }
    return ERROR_NONE;
}

enum error_code ingest_answers_rebuild(struct ingest_answers *answers, struct store_session *session, int64_t age_ms,
                                       struct error *error)
{
    struct buffer sql = {0}, native = {0};
    struct arena *arena = arena_create(0);
    buffer_printf(&sql,
                  "SELECT id, body_hash, status, content_type, answer FROM (SELECT *, sum(length(answer)) OVER "
                  "(ORDER BY ingested_at DESC, id ROWS UNBOUNDED PRECEDING) AS bytes FROM millrace.requests "
                  "WHERE ingested_at >= fromUnixTimestamp64Milli(%lld)) WHERE bytes <= %u ORDER BY ingested_at DESC LIMIT %d",
                  (long long)(os_clock_wall_ms() - age_ms), INGEST_ANSWERS_KEPT_BYTES, INGEST_ANSWERS_KEPT);
    struct store_query query = {.sql = buffer_slice(&sql), .tenant = STORE_ALL_TENANTS, .format = "Native"};
    enum error_code code = arena ? store_session_query(session, &query, &native, error) : error_set(error, ERROR_MEMORY, "out of memory");
    struct slice rest = buffer_slice(&native);
    while (code == ERROR_NONE && rest.size) {
        struct native_block block;
        code = native_reader_next(&rest, arena, &block, error);
        if (code == ERROR_NONE) code = answers_take_block(answers, &block, error);
    }
    buffer_free(&sql);
    buffer_free(&native);
    arena_destroy(arena);
    return code;
}
