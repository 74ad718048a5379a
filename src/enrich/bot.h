/* SPDX-License-Identifier: Apache-2.0 */
/* Which program fetches pages by itself, and what for, by its User-Agent. */
#ifndef ENRICH_BOT_H
#define ENRICH_BOT_H

#include "base/slice.h"

/*
 * Bots are no visitors: they are counted apart, whatever their class. Libraries by which programs send data for others
 * (curl, okhttp, python-requests) are no bots but servers: enrich/user_agent.h. A request with a checked secret key is
 * never taken for a bot's; that is for the caller to see to.
 */
enum bot_class {
    BOT_NONE,
    BOT_AI_CRAWLER,    /* reads to train or index for a language model */
    BOT_AI_ASSISTANT,  /* fetches a page because a person asked an assistant */
    BOT_SEARCH_ENGINE,
    BOT_SOCIAL_MEDIA,  /* previews of links */
    BOT_SEO_TOOL,
    BOT_MONITORING,
    BOT_SCRAPER,       /* browsers without a person, frameworks for scraping */
    BOT_UNKNOWN,       /* calls itself a bot, and nobody here knows it */
    BOT_CLASS_COUNT
};
struct bot {
    enum bot_class class;
    struct slice name; /* "GPTBot"; static, except of BOT_UNKNOWN: part of the text */
};

/* `is_spider`: uap-core says so. */
struct bot bot_find(struct slice user_agent, bool is_spider);
/* "ai_crawler", "unknown_bot"; "" for BOT_NONE. */
struct slice bot_class_name(enum bot_class class);

#endif
