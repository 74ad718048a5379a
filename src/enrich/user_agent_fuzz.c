/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any text is parsed within limits, the same twice, and Hyperscan says what rule after rule says. */
#include "base/arena.h"
#include "enrich/user_agent.h"
#include "enrich/user_agent_matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct user_agent_parser *parser;
static struct user_agent_matcher *matcher;
static struct arena *arena;

static void check_same_answer(const struct user_agent *a, const struct user_agent *b)
{
    const struct slice first[] = {a->browser, a->browser_version, a->os, a->os_version, a->device, a->brand, a->model, a->bot.name};
    const struct slice second[] = {b->browser, b->browser_version, b->os, b->os_version, b->device, b->brand, b->model, b->bot.name};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        ASSERT(slice_equal(first[i], second[i]));
        ASSERT(first[i].size <= USER_AGENT_TEXT_LIMIT_BYTES && slice_is_utf8(first[i]));
    }
    ASSERT(a->is_server == b->is_server && a->bot.class == b->bot.class && a->device.size > 0);
}

static void check_same_match(struct slice text)
{
    static struct user_agent_match fast[USER_AGENT_KIND_COUNT], slow[USER_AGENT_KIND_COUNT];
    ASSERT(user_agent_match(matcher, text, fast) && user_agent_match_in_turn(matcher, text, slow));
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++)
        for (unsigned i = 0; i < USER_AGENT_FIELD_COUNT; i++) ASSERT(slice_equal(fast[kind].fields[i], slow[kind].fields[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!parser) {
        ASSERT(user_agent_parser_create(&parser, NULL) == ERROR_NONE && user_agent_matcher_create(&matcher, NULL) == ERROR_NONE);
        ASSERT((arena = arena_create(0)) != NULL);
    }
    arena_reset(arena);
    struct slice text = slice_make(data, size);
    struct user_agent agent, again;
    user_agent_parse(parser, text, arena, &agent);
    user_agent_parse(parser, text, arena, &again);
    check_same_answer(&agent, &again);
    if (size <= 400) check_same_match(text);
    return 0;
}
