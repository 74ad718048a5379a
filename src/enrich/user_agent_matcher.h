/* SPDX-License-Identifier: Apache-2.0 */
/* What uap-core's rules say of a User-Agent, in their own words. */
#ifndef ENRICH_USER_AGENT_MATCHER_H
#define ENRICH_USER_AGENT_MATCHER_H

#include "base/error.h"
#include "base/slice.h"
#include "enrich/user_agent_rules.h"

/*
 * Model: of each kind the first rule that matches counts. Hyperscan finds all that match in one pass; the winner's groups
 * are then read with PCRE2. Rules Hyperscan refuses are tried one by one when they stand before the winner. A matcher may
 * be used by many threads at once: what one match needs is lent out and taken back.
 */
struct user_agent_matcher;

#define USER_AGENT_FIELD_LIMIT_BYTES 256 /* composed from parts of the text; longer is cut */
struct user_agent_match {
    bool found;
    struct slice fields[USER_AGENT_FIELD_COUNT]; /* of the text, a rule or `composed`; empty when the rule says nothing */
    char composed[USER_AGENT_FIELD_COUNT][USER_AGENT_FIELD_LIMIT_BYTES];
};

enum error_code user_agent_matcher_create(struct user_agent_matcher **ret_matcher, struct error *error) MUST_CHECK;
void user_agent_matcher_destroy(struct user_agent_matcher *matcher);
/* False when out of memory. Fields are any bytes that stand in the text. */
bool user_agent_match(struct user_agent_matcher *matcher, struct slice text,
                      struct user_agent_match matches[USER_AGENT_KIND_COUNT]);
/* The same answer by trying every rule in turn: what tests compare with. */
bool user_agent_match_in_turn(struct user_agent_matcher *matcher, struct slice text,
                              struct user_agent_match matches[USER_AGENT_KIND_COUNT]);

#endif
