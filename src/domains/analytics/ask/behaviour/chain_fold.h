/* SPDX-License-Identifier: Apache-2.0 */
/* Chains computed here instead of in the event store: for the steps that most funnels are made of. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_CHAIN_FOLD_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_CHAIN_FOLD_H

#include "domains/analytics/ask/behaviour/chain.h"

/*
 * Model: the event store gives the events of everybody who did step 2, sorted, as two numbers each (who; when and which step), and counts who did
 * step 1. How far each came is one walk over the numbers. Two plain statements take the event store a few milliseconds to
 * understand, where the general one (chain.c) takes fifty; both say the same (tested).
 *
 * For chains without breakdown, strict order and filters on everything, whose steps have names of their own, and whose step 2 is in
 * analytics.actions: so it is known quickly who did it.
 */
#define ANALYTICS_FOLD_ROWS 4000000 /* 64 MB: with more the event store computes */
bool analytics_chain_folds(struct query_context *context, const struct analytics_chain *chain);
/* Fills counts and times of the whole. *ret_is_done false: too many events, ask the general way. */
enum error_code analytics_chain_fold(struct query_context *context, const struct analytics_chain *chain, const struct query_range *range,
                                     struct analytics_chain_row *ret_row, bool *ret_is_done, struct error *error) MUST_CHECK;

/* The walk alone, for tests: `numbers` are pairs of who, and time (ms) << 6 | code, sorted; codes[i] is of step i or, behind the
 * steps, of an exclusion. counts[0] is left alone. */
enum error_code analytics_chain_walk(const struct analytics_chain *chain, const int *codes, const uint64_t *numbers, size_t pair_count,
                                     struct arena *arena, struct analytics_chain_row *row, struct error *error) MUST_CHECK;

#endif
