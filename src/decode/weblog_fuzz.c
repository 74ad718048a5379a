/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any line is read or refused, and all parts lie inside it. */
#include "decode/lines.h"
#include "decode/url.h"
#include "decode/weblog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice part, struct slice line)
{
    ASSERT(part.size == 0 || (part.data >= line.data && part.data + part.size <= line.data + line.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines lines = lines_of(slice_make(data, size));
    struct slice text;
    while (lines_next(&lines, &text)) {
        struct weblog_line line;
        if (weblog_parse(text, &line, NULL) != ERROR_NONE) continue;
        check_inside(line.address, text);
        check_inside(line.request, text);
        check_inside(line.target, text);
        check_inside(line.referrer, text);
        check_inside(line.user_agent, text);
        struct url url;
        if (url_parse(line.target, &url)) check_inside(url.path, text);
        if (url_parse(line.referrer, &url)) check_inside(url.host, text);
    }
    return 0;
}
