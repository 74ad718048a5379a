/* SPDX-License-Identifier: Apache-2.0 */
/* A User-Agent in the parts we store: browser, system, device; and whether a person, a program or a bot sent it. */
#ifndef ENRICH_USER_AGENT_H
#define ENRICH_USER_AGENT_H

#include "base/arena.h"
#include "base/error.h"
#include "enrich/bot.h"

/*
 * Model: uap-core's rules (user_agent_matcher.h), renamed to the words both products use (user_agent_names.h). Answers are
 * remembered: most events of a site come from some hundred different User-Agents, and a new one costs 200 times as much as
 * one seen before. Remembered are hashes and answers, never the texts. One parser serves all threads.
 */
struct user_agent_parser;

#define USER_AGENT_LIMIT_BYTES 1024 /* what is behind is not looked at; browsers send some 100 to 300 */
#define USER_AGENT_TEXT_LIMIT_BYTES 64 /* of each part of the answer, the columns' limit */

struct user_agent {
    /* Valid UTF-8, empty when not known. device: desktop, mobile, tablet, smarttv, console, wearable, bot or server. */
    struct slice browser, browser_version, os, os_version, device, brand, model;
    /* A program that sends events for others: no text, "name/1.2.3" and nothing else, a library's name, or neither
     * system, browser, brand nor model known. All but device is empty then. A bot is none. */
    bool is_server;
    struct bot bot;
};

enum error_code user_agent_parser_create(struct user_agent_parser **ret_parser, struct error *error) MUST_CHECK;
void user_agent_parser_destroy(struct user_agent_parser *parser);
/* Texts of the answer are in the arena. Out of memory, nothing is known of the sender and arena_failed may be set. */
void user_agent_parse(struct user_agent_parser *parser, struct slice text, struct arena *arena, struct user_agent *agent);

#endif
