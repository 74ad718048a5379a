/* SPDX-License-Identifier: Apache-2.0 */
/* What decoders call: the open batch's blocks, the window of ids, the parts of a state that a request changed. */
#include "ingest/ingest_private.h"

#include "ingest/requests.h"
#include "ingest/window.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct block *domain_rows_block(struct domain_rows *rows, size_t table)
{
    struct block **blocks = rows->is_dropped ? rows->loop->thrown_away : rows->loop->open->spool_batch.blocks;
    return blocks[rows->first_table + table];
}

bool domain_rows_seen_before(struct domain_rows *rows, const struct uuid *id)
{
    if (rows->is_dropped) return false; /* remembering it would be tracking */
    struct ingest_window_key key = ingest_window_key_make(rows->tenant, id);
    enum ingest_window_state state = ingest_window_claim(rows->loop->ingest->settings.window, key, rows->now_ms);
    if (state == INGEST_WINDOW_NEW) {
        struct buffer *claimed = &rows->loop->open->claimed;
        buffer_append(claimed, &key, sizeof key);
        /* Nobody would settle it: better not remembered than pending for ever. */
        if (claimed->failed) ingest_window_settle(rows->loop->ingest->settings.window, key, false);
        return false;
    }
    struct ingest_waiter *waiter = rows->waiter;
    if (state == INGEST_WINDOW_PENDING) {
        if (waiter->pending_count == rows->pending_capacity) {
            size_t capacity = rows->pending_capacity ? rows->pending_capacity * 2 : 8;
            struct ingest_window_key *larger = arena_allocate(rows->arena, capacity * sizeof *larger);
            if (!larger) {
                waiter->is_incomplete = true; /* its fate will not be known: the answer cannot say that it is stored */
                return true;
            }
            if (waiter->pending_count) memcpy(larger, waiter->pending, waiter->pending_count * sizeof *larger);
            waiter->pending = larger;
            rows->pending_capacity = capacity;
        }
        waiter->pending[waiter->pending_count++] = key;
    }
    return true;
}

bool ingest_rows_body_seen(struct domain_rows *rows, const struct domain_route *route, const struct request *request, struct uuid *ret_id)
{
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits_withSeed(request->body.data, request->body.size, slice_hash(slice_from_string(route->path))));
    _Static_assert(sizeof hash == sizeof *ret_id, "128 bits");
    memcpy(ret_id, &hash, sizeof *ret_id);
    return domain_rows_seen_before(rows, ret_id);
}

void ingest_rows_keep_body(struct domain_rows *rows, const struct uuid *id)
{
    const struct ingest *ingest = rows->loop->ingest;
    if (ingest->requests_table == ingest->tables->count) return;
    ingest_requests_append_body(rows->loop->open->spool_batch.blocks[ingest->requests_table + 1], rows->tenant, id, rows->now_ms);
}

void domain_rows_mark(struct domain_rows *rows)
{
    rows->is_marked = true;
    for (size_t i = 0; i < rows->domain->table_count; i++) block_mark(domain_rows_block(rows, i));
}

void ingest_rows_rewind(struct domain_rows *rows)
{
    for (size_t i = 0; rows->is_marked && i < rows->domain->table_count; i++) block_rewind(domain_rows_block(rows, i));
}

void domain_rows_touched(struct domain_rows *rows, void *thing)
{
    const struct ingest_touch touch = {rows->domain->state, rows->state, thing};
    struct buffer *touched = &rows->loop->open->touched;
    if (!rows->is_dropped) buffer_append(touched, &touch, sizeof touch);
    /* Nobody would settle it: better in doubt than pending for ever. */
    if (rows->is_dropped || touched->failed) touch.functions->settled(touch.state, thing, 0, false);
}
