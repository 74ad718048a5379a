/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an OTLP export request in protobuf, group by group. */
#ifndef DOMAINS_OBSERVABILITY_DIALECTS_TRANSLATION_H
#define DOMAINS_OBSERVABILITY_DIALECTS_TRANSLATION_H

#include "base/error.h"
#include "base/protobuf_writer.h"

/*
 * Model: a group is a resource and its items (ResourceSpans with one ScopeSpans, or their like of logs: the numbers are the same).
 * Begin a group, append its resource's attributes, then for each item append fields to `item` and end it.
 */
struct translation {
    struct buffer request;  /* the whole, after translation_end */
    struct buffer resource; /* of the group: its attributes */
    struct buffer items;    /* of the group */
    struct buffer item;     /* the one being written */
    struct buffer part;     /* for messages inside of it */
    size_t count;           /* of items */
};

void translation_group_begin(struct translation *translation);
static inline void translation_resource(struct translation *translation, struct slice key, struct slice text)
{
    protobuf_write_attribute(&translation->resource, 1, key, text);
}
/* ERROR_TOO_LARGE beyond OBSERVABILITY_ITEM_LIMIT: an item may be much larger here than in what was sent. */
enum error_code translation_item_end(struct translation *translation, struct error *error) MUST_CHECK;
/* What was written in `part` becomes a member of the item. */
static inline void translation_part_end(struct translation *translation, unsigned number)
{
    protobuf_write_bytes(&translation->item, number, buffer_slice(&translation->part));
    buffer_clear(&translation->part);
}
/* False when memory ran out. */
bool translation_end(struct translation *translation);
void translation_free(struct translation *translation);

/* Hexadecimal digits of any case into `size` bytes, zeros before what is shorter. False: other characters, none, or too many. */
bool translation_read_hex(struct slice digits, char *out, size_t size);

#endif
