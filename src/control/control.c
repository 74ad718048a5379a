/* SPDX-License-Identifier: Apache-2.0 */
/* The context of all changes: ids, texts, and the revision that event loops watch. */
#include "control/control.h"

#include "base/uuid.h"
#include "control/role.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"

enum error_code control_open(const char *location, struct control *control, struct error *error)
{
    control->core = control->product = control->billing = NULL;
    enum error_code code = meta_open_service(location, META_SERVICE_CORE, NULL, NULL, &control->core, error);
    if (!code) code = meta_open_service(location, META_SERVICE_PRODUCT, NULL, NULL, &control->product, error);
    if (!code) code = meta_open_service(location, META_SERVICE_BILLING, NULL, NULL, &control->billing, error);
    if (!code) code = control_role_sync(control->core, os_clock_wall_ms(), error);
    if (code) control_close(control);
    return code;
}

void control_close(struct control *control)
{
    meta_close(control->core);
    meta_close(control->product);
    meta_close(control->billing);
    control->core = control->product = control->billing = NULL;
}

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
