/* SPDX-License-Identifier: Apache-2.0 */
/* The context of all changes: ids, texts, and the revision that event loops watch. */
#include "control/control.h"

#include "base/uuid.h"

enum error_code control_access_changed(struct meta_session *session, struct error *error)
{
    return meta_execute(session, "update access_revision set revision = revision + 1 where id = 1", NULL, 0, NULL, error);
}

void control_id_make(int64_t now_ms, char out[37])
{
    struct uuid uuid = uuid_make_v7(now_ms);
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
}

enum error_code control_text_check(struct slice text, size_t least, size_t most, const char *field, struct error *error)
{
    bool is_clean = slice_is_utf8(text);
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) is_clean = false;
    if (!is_clean)
        return error_set_field(error, ERROR_INVALID, field, "%s must be UTF-8 text without control characters", field);
    if (slice_trim(text).size < least || text.size > most)
        return error_set_field(error, ERROR_INVALID, field, "%s must have %zu to %zu bytes; this one has %zu", field,
                               least, most, text.size);
    return ERROR_NONE;
}
