/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's count of who is there now. */
#include "base/json_writer.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/openpanel/read.h"

static enum error_code live_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    int64_t visitors, sessions;
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code) code = analytics_live_count(context, &visitors, &sessions, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "visitors");
    json_writer_int(&writer, visitors);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word no_words[] = {{NULL, NULL}};
const struct domain_question openpanel_live_questions[] = {
    {METHOD_GET, "/insights/{tenant_id}/live", TENANT_EVENTS_READ, live_answer, no_words,
     .summary = "OpenPanel: people seen in the last five minutes", .find_key = openpanel_read_find_key, .refuse = openpanel_read_refuse},
    {0},
};
