/* SPDX-License-Identifier: Apache-2.0 */
/* utm_* and click ids out of a query string. */
#include "enrich/campaign.h"

#include "decode/url.h"

static const struct campaign_parameter {
    const char *name;
    size_t offset;
} campaign_parameters[] = {
    {"utm_source", offsetof(struct campaign, source)},
    {"utm_medium", offsetof(struct campaign, medium)},
    {"utm_campaign", offsetof(struct campaign, campaign)},
    {"utm_term", offsetof(struct campaign, term)},
    {"utm_content", offsetof(struct campaign, content)},
    {"gclid", offsetof(struct campaign, gclid)},
};
static const char *const campaign_clicks[] = {"gclid", "gbraid", "wbraid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id"};
static const char *const campaign_tags[] = {"utm_source", "ref", "utm_referrer"}; /* the best first */
#define CAMPAIGN_TAG_COUNT (sizeof campaign_tags / sizeof campaign_tags[0])

static struct slice campaign_value(struct arena *arena, struct slice raw)
{
    struct slice value = slice_trim(url_decode(arena, raw, true));
    if (!slice_is_utf8(value)) return SLICE_EMPTY;
    if (value.size <= CAMPAIGN_VALUE_LIMIT_BYTES) return value;
    size_t size = CAMPAIGN_VALUE_LIMIT_BYTES;
    while (size > 0 && ((unsigned char)value.data[size] & 0xc0) == 0x80) size--; /* not inside a character */
    return slice_first(value, size);
}

static struct slice campaign_click(struct slice name)
{
    for (size_t i = 0; i < sizeof campaign_clicks / sizeof campaign_clicks[0]; i++)
        if (slice_equal(name, slice_from_string(campaign_clicks[i]))) return slice_from_string(campaign_clicks[i]);
    return SLICE_EMPTY;
}

void campaign_from_query(struct arena *arena, struct slice query_string, struct campaign *campaign)
{
    *campaign =
        (struct campaign){SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    if (query_string.size > 0 && query_string.data[0] == '?') query_string = slice_from(query_string, 1);
    size_t tag_rank = CAMPAIGN_TAG_COUNT;
    struct slice name, raw;
    while (url_query_next(&query_string, &name, &raw)) {
        if (raw.size == 0 || name.size < 3) continue;
        if (campaign->click.size == 0) campaign->click = campaign_click(name);
        if (name.data[0] != 'u' && name.data[0] != 'g' && name.data[0] != 'r') continue;
        for (size_t i = 0; i < sizeof campaign_parameters / sizeof campaign_parameters[0]; i++) {
            struct slice *value = (struct slice *)((char *)campaign + campaign_parameters[i].offset);
            if (value->size > 0 || !slice_equal(name, slice_from_string(campaign_parameters[i].name))) continue;
            *value = campaign_value(arena, raw);
        }
        for (size_t i = 0; i < tag_rank; i++) {
            if (!slice_equal(name, slice_from_string(campaign_tags[i]))) continue;
            campaign->tag = campaign_value(arena, raw);
            if (campaign->tag.size > 0) tag_rank = i;
        }
    }
}
